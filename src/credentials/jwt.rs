//! What tells two web identity tokens apart: every claim but those that each new token of the same identity has others of.
//! Nothing is verified here; that is the business of STS, which the token is sent to.
//!
//! Trust policies of roles may test issuer, subject and audience of any issuer, and since January 2026 further claims of
//! GitHub, Google, CircleCI and Oracle Cloud Infrastructure (`actor`, `environment`, `job_workflow_ref`, `repository_id`
//! ...; <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>);
//! session tags come from a claim too (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>). What they
//! may test next year is not known here, so all claims count.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

/// The claim in which Kubernetes names the token's subject.
pub(super) const KUBERNETES: &str = "kubernetes.io";

/// Whether two pods of one service account are two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pods {
    /// STS tests no claim that names the pod.
    Alike,
    /// EKS Pod Identity makes session tags of the pod's name and UID, which policies may test
    /// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html>).
    ToldApart,
}

/// The claims of a token that name a principal, and when the token ends.
pub(super) struct Claims {
    /// `iss`.
    pub(super) issuer: String,
    /// `sub`.
    pub(super) subject: String,
    /// `aud`, one or several.
    pub(super) audience: Vec<String>,
    /// All others but `exp`, `nbf`, `iat` and `jti`; by name.
    pub(super) others: Vec<(String, Value)>,
    /// `exp`, in seconds since the Unix epoch.
    pub(super) ends_at: Option<i64>,
}

impl Claims {
    /// Whether Kubernetes issued the token for a service account: then the pod and the node that it names change from one
    /// token to the next. <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#schema-for-service-account-private-claims>
    pub(super) fn is_of_kubernetes(&self) -> bool {
        let claim = self.others.iter().find(|(name, _)| name == KUBERNETES).map(|(_, value)| value);
        let part = |pointer: &str| claim.and_then(|claim| claim.pointer(pointer)).and_then(Value::as_str);
        let names = part("/namespace").zip(part("/serviceaccount/name"));
        names.is_some_and(|(namespace, name)| self.subject == format!("system:serviceaccount:{namespace}:{name}"))
    }
}

/// Whether this member of a service account token's claim [`KUBERNETES`] tells identities apart.
pub(super) fn counts(member: &str, pods: Pods) -> bool {
    match member {
        // When the token should be renewed.
        "warnafter" => false,
        "pod" | "node" | "secret" => pods == Pods::ToldApart,
        _ => true,
    }
}

/// The longest token that AssumeRoleWithWebIdentity takes, in bytes.
const TOKEN_LIMIT: usize = 20_000;

/// Three parts of base64url (RFC 7515, section 3.1): what STS takes.
pub(crate) fn is_jwt(token: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_=".contains(&byte))
    };
    token.len() <= TOKEN_LIMIT && token.split('.').count() == 3 && token.split('.').all(is_part)
}

/// The claims of `token`; `None` for what is not a JWT with issuer, subject and audience, each claim given once.
pub(super) fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.trim().split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    // Two numbers that an f64 cannot distinguish would be one.
    (!claims.others.iter().any(|(_, value)| has_inexact_number(value))).then_some(claims)
}

fn has_inexact_number(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_inexact_number),
        Value::Object(members) => members.values().any(has_inexact_number),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

enum Name {
    Issuer,
    Subject,
    Audience,
    End,
    /// Another one in each token.
    Passing,
    Other(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl Visitor<'_> for Names {
            type Value = Name;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a claim's name")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Name, E> {
                Ok(match name {
                    "iss" => Name::Issuer,
                    "sub" => Name::Subject,
                    "aud" => Name::Audience,
                    "exp" => Name::End,
                    "nbf" | "iat" | "jti" => Name::Passing,
                    _ => Name::Other(name.to_owned()),
                })
            }
        }
        deserializer.deserialize_str(Names)
    }
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Payload;
        impl<'de> Visitor<'de> for Payload {
            type Value = Claims;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JWT's payload")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
                // A claim that is given twice means one thing to us and maybe another to STS: not a JWT.
                fn once<T, E: de::Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
                    match slot.replace(value) {
                        None => Ok(()),
                        Some(_) => Err(E::custom("a claim is given twice")),
                    }
                }
                let (mut issuer, mut subject, mut audience, mut end) = (None, None, None, None::<serde_json::Number>);
                let mut others: Vec<(String, Value)> = Vec::new();
                while let Some(name) = map.next_key()? {
                    match name {
                        Name::Issuer => once(&mut issuer, map.next_value()?)?,
                        Name::Subject => once(&mut subject, map.next_value()?)?,
                        Name::Audience => once(&mut audience, map.next_value()?)?,
                        Name::End => once(&mut end, map.next_value()?)?,
                        Name::Passing => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        Name::Other(name) => others.push((name, map.next_value()?)),
                    }
                }
                others.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
                if others.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
                    return Err(de::Error::custom("a claim is given twice"));
                }
                let missing = |claim| move || de::Error::missing_field(claim);
                Ok(Claims {
                    issuer: issuer.ok_or_else(missing("iss"))?,
                    subject: subject.ok_or_else(missing("sub"))?,
                    audience: match audience.ok_or_else(missing("aud"))? {
                        OneOrMany::One(audience) => vec![audience],
                        OneOrMany::Many(audiences) => audiences,
                    },
                    others,
                    // A fraction is cut off: the token ends no later than we think.
                    ends_at: end.map(|end| end.as_i64().unwrap_or_else(|| seconds(&end))),
                })
            }
        }
        deserializer.deserialize_map(Payload)
    }
}

/// A `NumericDate` (RFC 7519) that is not an integer of 64 bits.
fn seconds(number: &serde_json::Number) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, which is what is wanted")]
    number.as_f64().map_or(i64::MIN, |seconds| seconds as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jwt_is_taken_for_a_token() {
        assert!(is_jwt("eyJh.eyJp.c2ln-_"));
        let long = format!("a.{}.c", "b".repeat(TOKEN_LIMIT));
        for token in ["", "a.b", "a.b.c.d", "a..c", "<html>.b.c", "a.b.c\n", &long] {
            assert!(!is_jwt(token), "{token}");
        }
    }
}
