//! `CredentialProviderRequest`: what the kubelet asks.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::os::secret::Secret;

/// The annotation of a service account that names the role its pods pull with, as Kubernetes' own AWS provider
/// reads it.
pub(crate) const ROLE_ANNOTATION: &str = "eks.amazonaws.com/ecr-role-arn";

const KIND: &str = "CredentialProviderRequest";

/// The versions of the API; the answer has the version of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Since Kubernetes 1.26.
    V1,
    /// Since Kubernetes 1.24.
    V1Beta1,
    /// Since Kubernetes 1.20.
    V1Alpha1,
}

impl Version {
    const ALL: [Self; 3] = [Self::V1, Self::V1Beta1, Self::V1Alpha1];

    /// As it stands in `apiVersion`.
    pub(super) fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "credentialprovider.kubelet.k8s.io/v1",
            Self::V1Beta1 => "credentialprovider.kubelet.k8s.io/v1beta1",
            Self::V1Alpha1 => "credentialprovider.kubelet.k8s.io/v1alpha1",
        }
    }
}

/// A question of the kubelet.
#[derive(Debug)]
pub struct Request {
    /// Which version of the API was spoken.
    pub(super) version: Version,
    /// The image that is to be pulled.
    pub image: String,
    /// The token of the pod's service account; never empty.
    pub service_account_token: Option<Secret>,
    /// `ROLE_ANNOTATION` of the pod's service account; never empty.
    pub role_annotation: Option<String>,
}

/// Why a request cannot be answered. Quotes nothing that may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON at all.
    #[error("the request is not JSON (line {line}, column {column})")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 before the first character of a line.
        column: usize,
    },
    /// JSON of another shape.
    #[error("a field of the request has the wrong type or stands twice (line {line}, column {column})")]
    WrongShape {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// Another kind of object.
    #[error("the request's kind is {0}, not {KIND}")]
    WrongKind(String),
    /// A version that is not supported.
    #[error("the request's apiVersion is {0}; credentialprovider.kubelet.k8s.io/v1, v1beta1 and v1alpha1 are spoken")]
    UnknownVersion(String),
    /// No image in it.
    #[error("the request names no image")]
    NoImage,
    /// A service account token where the API has none.
    #[error("the request has a service account token, which only credentialprovider.kubelet.k8s.io/v1 knows")]
    TokenBeforeV1,
}

/// The object as the API defines it (k8s.io/kubelet/pkg/apis/credentialprovider/v1/types.go). `null` is Go's
/// way of writing an empty value. Fields that a newer kubelet may add are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    api_version: Option<String>,
    kind: Option<String>,
    image: Option<String>,
    service_account_token: Option<Secret>,
    service_account_annotations: Option<BTreeMap<String, Option<String>>>,
}

impl Request {
    /// Reads the JSON of a request.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(json: &[u8]) -> Result<Self, RequestError> {
        if json.trim_ascii_start().first() == Some(&b'[') {
            // serde would take an array for a struct whose fields come in order.
            return Err(RequestError::WrongShape { line: 1, column: 1 });
        }
        let raw: Raw = serde_json::from_slice(json).map_err(|error| {
            // Not the error's own text: it quotes the values it met, and one of them is a token.
            let (line, column) = (error.line(), error.column());
            if error.is_data() {
                RequestError::WrongShape { line, column }
            } else {
                RequestError::NotJson { line, column }
            }
        })?;
        if raw.kind.as_deref() != Some(KIND) {
            return Err(RequestError::WrongKind(quoted(raw.kind)));
        }
        let spoken = raw.api_version.as_deref();
        let Some(version) = Version::ALL.into_iter().find(|version| spoken == Some(version.api_version())) else {
            return Err(RequestError::UnknownVersion(quoted(raw.api_version)));
        };
        let image = raw.image.filter(|image| !image.trim().is_empty()).ok_or(RequestError::NoImage)?;
        let service_account_token = raw.service_account_token.filter(|token| !token.expose().is_empty());
        if service_account_token.is_some() && version != Version::V1 {
            return Err(RequestError::TokenBeforeV1);
        }
        let role_annotation = raw
            .service_account_annotations
            .and_then(|mut annotations| annotations.remove(ROLE_ANNOTATION).flatten())
            .filter(|role| !role.is_empty());
        Ok(Self { version, image, service_account_token, role_annotation })
    }
}

/// A value of the request in a message: short, on one line.
fn quoted(value: Option<String>) -> String {
    const MAX_CHARS: usize = 80;
    match value {
        None => "missing".to_owned(),
        Some(value) => format!("{:?}", value.chars().take(MAX_CHARS).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Request, RequestError> {
        Request::parse(json.as_bytes())
    }

    fn request(version: &str, more: &str) -> String {
        format!(r#"{{"kind":"CredentialProviderRequest","apiVersion":"{version}","image":"host/app"{more}}}"#)
    }

    #[test]
    fn all_three_versions_are_read() {
        for version in Version::ALL {
            let read = parse(&request(version.api_version(), "")).unwrap();
            assert_eq!((read.version, read.image.as_str()), (version, "host/app"));
            assert!(read.service_account_token.is_none() && read.role_annotation.is_none());
        }
    }

    #[test]
    fn a_service_account_comes_with_its_token_and_role() {
        let more = r#","serviceAccountToken":"a.b.c","serviceAccountAnnotations":{"x":"y","eks.amazonaws.com/ecr-role-arn":"arn"}"#;
        let read = parse(&request(Version::V1.api_version(), more)).unwrap();
        assert_eq!(read.service_account_token.unwrap().expose(), "a.b.c");
        assert_eq!(read.role_annotation.as_deref(), Some("arn"));
    }

    #[test]
    fn empty_and_null_values_are_none() {
        for more in [
            r#","serviceAccountToken":"","serviceAccountAnnotations":{"eks.amazonaws.com/ecr-role-arn":""}"#,
            r#","serviceAccountToken":null,"serviceAccountAnnotations":null"#,
            r#","serviceAccountAnnotations":{"eks.amazonaws.com/ecr-role-arn":null}"#,
        ] {
            let read = parse(&request(Version::V1.api_version(), more)).unwrap();
            assert!(read.service_account_token.is_none() && read.role_annotation.is_none(), "{more}");
        }
    }

    #[test]
    fn field_names_have_a_case() {
        let more = r#","ServiceAccountToken":"a.b.c""#;
        assert!(parse(&request(Version::V1.api_version(), more)).unwrap().service_account_token.is_none());
        let json =
            r#"{"Kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"i"}"#;
        assert_eq!(parse(json).unwrap_err(), RequestError::WrongKind("missing".to_owned()));
    }

    #[test]
    fn fields_of_a_newer_kubelet_are_passed_over() {
        assert!(parse(&request(Version::V1.api_version(), r#","podUID":{"deep":[1,2,null]}"#)).is_ok());
    }

    #[test]
    fn a_token_in_an_older_version_is_refused_rather_than_ignored() {
        for version in [Version::V1Beta1, Version::V1Alpha1] {
            let error = parse(&request(version.api_version(), r#","serviceAccountToken":"a.b.c""#)).unwrap_err();
            assert_eq!(error, RequestError::TokenBeforeV1);
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_reason() {
        let v1 = Version::V1.api_version();
        for (json, reason) in [
            (String::new(), "not JSON"),
            ("{".to_owned(), "not JSON"),
            ("hello".to_owned(), "not JSON"),
            (request(v1, "") + "{}", "not JSON"),
            ("null".to_owned(), "wrong type"),
            ("[]".to_owned(), "wrong type"),
            ("\"eyJhbGciOi.secret.x\"".to_owned(), "wrong type"),
            (request(v1, r#","serviceAccountToken":{"a":"secret"}"#), "wrong type"),
            (request(v1, r#","serviceAccountAnnotations":"secret""#), "wrong type"),
            (request(v1, r#","image":"host/two""#), "stands twice"),
            ("{}".to_owned(), "kind is missing"),
            (request(v1, "").replace("ProviderRequest", "ProviderResponse"), "\"CredentialProviderResponse\""),
            (request("credentialprovider.kubelet.k8s.io/v2", ""), "k8s.io/v2\""),
            (request("v1", ""), "apiVersion is \"v1\""),
            (request(v1, "").replace("host/app", ""), "no image"),
            (request(v1, "").replace("host/app", "  "), "no image"),
            (request(v1, "").replace("\"image\"", "\"Image\""), "no image"),
            ("[".repeat(100_000), "wrong type"),
            (request(v1, r#","x":"#).replace('}', &"[".repeat(100_000)), "not JSON"),
            (format!(r#"["{v1}","CredentialProviderRequest","host/app",null,null]"#), "wrong type"),
        ] {
            let text = parse(&json).unwrap_err().to_string();
            assert!(text.contains(reason), "{json:.80}: {text}");
            assert!(!text.contains("secret") && !text.contains('\n'), "{text}");
        }
        let not_utf8 = Request::parse(b"{\"kind\":\"\xff\"}").unwrap_err();
        assert!(matches!(not_utf8, RequestError::NotJson { .. }));
    }

    #[test]
    fn a_strange_kind_is_quoted_on_one_short_line() {
        let json = format!("{{\"kind\":\"a\\n{}\"}}", "b".repeat(500));
        let text = parse(&json).unwrap_err().to_string();
        assert!(!text.contains('\n') && text.len() < 200, "{text}");
    }
}
