//! A pod's service account: which role its token may assume, and whether both can be what they should be.

use super::request::{ROLE_ANNOTATION, Request};
use crate::credentials::ServiceAccount;
use crate::os::environment::Environment;
use crate::os::secret::Secret;

/// The role of pods whose service account has no annotation, as Kubernetes' own AWS provider reads it.
const ROLE_VARIABLE: &str = "AWS_ECR_ROLE_ARN";

/// Why a request's service account cannot be used. Never quotes the token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ServiceAccountError {
    /// Not an ARN of an IAM role.
    #[error("{place} is no ARN of an IAM role: {role:?}")]
    Role {
        /// The annotation or the variable.
        place: &'static str,
        /// What stands there.
        role: String,
    },
    /// Not a JSON web token.
    #[error("the service account token is no JSON web token with issuer, subject and audience")]
    Token,
}

/// The identity of the pod: its service account in the role that the annotation names, else the one of
/// [`ROLE_VARIABLE`]. `None` without a token or without a role: the node's credentials are used.
///
/// # Errors
/// The token or the role is malformed. The node's credentials are never used for a pod that has named a role.
pub(super) fn of(request: &Request, environment: &Environment) -> Result<Option<ServiceAccount>, ServiceAccountError> {
    let Some(token) = &request.service_account_token else { return Ok(None) };
    let (place, role) = match (&request.role_annotation, environment.var_os(ROLE_VARIABLE)) {
        (Some(role), _) => (ROLE_ANNOTATION, role.clone()),
        (None, Some(role)) => (ROLE_VARIABLE, role.to_string_lossy().into_owned()),
        (None, None) => return Ok(None),
    };
    if !is_role_arn(&role) {
        return Err(ServiceAccountError::Role { place, role: role.chars().take(200).collect() });
    }
    let account = ServiceAccount { token: token.clone(), role_arn: role };
    // Claims are read from the token's second part alone; blanks and padding have no place in any of the three.
    if has_form_of_token(token) && account.has_claims() { Ok(Some(account)) } else { Err(ServiceAccountError::Token) }
}

/// `arn:PARTITION:iam::ACCOUNT:role/PATH`; the name's characters are those of IAM's API (`CreateRole`).
fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [arn, partition, service, region, account, resource] = parts[..] else { return false };
    let name = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c);
    let path = resource.strip_prefix("role/").unwrap_or_default();
    arn == "arn"
        && partition.starts_with("aws")
        && partition.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && !path.is_empty()
        && !path.ends_with('/')
        && path.chars().all(name)
}

/// Three parts in base64url, as RFC 7515 (section 3.1) has them.
fn has_form_of_token(token: &Secret) -> bool {
    let part =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let parts: Vec<&str> = token.expose().split('.').collect();
    parts.len() == 3 && parts.into_iter().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::kubelet::request::Version;

    const ROLE: &str = "arn:aws:iam::123456789012:role/team/ecr-pull";
    const OTHER: &str = "arn:aws-cn:iam::210987654321:role/of-the-node-pool";

    /// `{"iss":"i","sub":"s","aud":"a"}`
    const TOKEN: &str = "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6ImEifQ.c2ln";

    fn request(token: Option<&str>, role: Option<&str>) -> Request {
        Request {
            version: Version::V1,
            image: "host/app".to_owned(),
            service_account_token: token.map(|token| Secret::new(token.to_owned())),
            role_annotation: role.map(str::to_owned),
        }
    }

    fn environment(role: Option<&str>) -> Environment {
        Environment::of(role.map(|role| (ROLE_VARIABLE, role)))
    }

    #[test]
    fn the_annotation_wins_over_the_variable() {
        for (annotation, variable, role) in
            [(Some(ROLE), Some(OTHER), ROLE), (Some(ROLE), None, ROLE), (None, Some(OTHER), OTHER)]
        {
            let account = of(&request(Some(TOKEN), annotation), &environment(variable)).unwrap().unwrap();
            assert_eq!((account.role_arn.as_str(), account.token.expose()), (role, TOKEN));
        }
    }

    #[test]
    fn without_token_or_role_the_credentials_of_the_node_are_used() {
        assert!(of(&request(None, Some(ROLE)), &environment(Some(OTHER))).unwrap().is_none());
        assert!(of(&request(Some(TOKEN), None), &environment(None)).unwrap().is_none());
    }

    #[test]
    fn what_is_no_role_is_an_error_that_names_its_place() {
        for role in [
            "ecr-pull",
            "arn:aws:iam::123456789012:user/me",
            "arn:aws:iam::1234:role/x",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/x/",
            "arn:aws:iam:eu-west-1:123456789012:role/x",
            "arn:aws:sts::123456789012:assumed-role/x/y",
            "arn:aws:iam::123456789012:role/x y",
            "arn:aws:iam::123456789012:role/x\n",
            "arn:evil:iam::123456789012:role/x",
        ] {
            let error = of(&request(Some(TOKEN), Some(role)), &environment(Some(OTHER))).unwrap_err().to_string();
            assert!(error.contains(ROLE_ANNOTATION) && !error.contains('\n'), "{error}");
            let error = of(&request(Some(TOKEN), None), &environment(Some(role))).unwrap_err().to_string();
            assert!(error.contains(ROLE_VARIABLE), "{error}");
        }
    }

    #[test]
    fn what_is_no_token_is_an_error_that_does_not_quote_it() {
        let claims = TOKEN.split('.').nth(1).unwrap();
        for token in [
            "x",
            "a.b",
            "a.b.c",
            "e30.e30.c2ln",
            &format!("e30.{claims}"),
            &format!("e30.{claims}.c2ln.x"),
            &format!("e30.{claims}."),
            &format!(".{claims}.c2ln"),
            &format!("{TOKEN}\n"),
            &format!(" {TOKEN}"),
            &format!("e30.{claims}==.c2ln"),
            &format!("e30.{claims}.\u{e9}"),
        ] {
            let error = of(&request(Some(token), Some(ROLE)), &environment(None)).unwrap_err();
            assert_eq!(error, ServiceAccountError::Token, "{token}");
        }
    }
}
