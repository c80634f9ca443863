//! The kubelet's side of the protocol: what it writes, and what its strict decoder takes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{self, FakeAws, Helper, Running};

pub const V1: &str = "v1";
pub const V1BETA1: &str = "v1beta1";
pub const V1ALPHA1: &str = "v1alpha1";

/// The role that pods ask for.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/team/pod-pull";

/// A request for an image, as the kubelet encodes it.
pub fn request(version: &str, image: &str) -> String {
    let request = json!({
        "kind": "CredentialProviderRequest",
        "apiVersion": format!("credentialprovider.kubelet.k8s.io/{version}"),
        "image": image,
    });
    format!("{request}\n")
}

/// A request for a pod with a service account, with the role as its annotation.
pub fn pod_request(image: &str, token: &str, role: Option<&str>) -> String {
    let mut request: serde_json::Value = serde_json::from_str(&request(V1, image)).unwrap();
    request["serviceAccountToken"] = json!(token);
    if let Some(role) = role {
        request["serviceAccountAnnotations"] = json!({ "eks.amazonaws.com/ecr-role-arn": role });
    }
    format!("{request}\n")
}

/// A token of a service account, as Kubernetes projects it. `pod` is the pod that it was made for.
pub fn service_account_token(name: &str, pod: &str, ends_at: u64) -> String {
    let claims = json!({
        "aud": ["sts.amazonaws.com"],
        "exp": ends_at,
        "iat": ends_at - 3600,
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF",
        "jti": format!("jti-of-{pod}"),
        "kubernetes.io": {
            "namespace": "default",
            "pod": { "name": pod, "uid": format!("uid-of-{pod}") },
            "serviceaccount": { "name": name, "uid": format!("uid-of-{name}") },
        },
        "nbf": ends_at - 3600,
        "sub": format!("system:serviceaccount:default:{name}"),
    });
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", part(r#"{"alg":"RS256"}"#), part(&claims.to_string()), part(&format!("signature of {pod}")))
}

/// Seconds since the Unix epoch, `seconds` from now.
pub fn from_now(seconds: i64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    now.saturating_add_signed(seconds)
}

/// The plugin as the kubelet runs it.
pub struct Plugin {
    helper: Helper,
}

impl Plugin {
    /// With the node's keys in the environment.
    pub fn new(aws: &FakeAws) -> Self {
        Self { helper: Helper::new().named("ecr-credential-provider").aws(aws).keys("AKIANODE") }
    }

    /// In another environment.
    #[must_use]
    pub fn with(self, change: impl FnOnce(Helper) -> Helper) -> Self {
        Self { helper: change(self.helper) }
    }

    pub fn helper(&self) -> &Helper {
        &self.helper
    }

    pub fn cache(&self) -> PathBuf {
        self.helper.cache()
    }

    pub fn made_a_cache(&self) -> bool {
        self.helper.made_a_cache()
    }

    pub fn start(&self, request: &str) -> Running {
        self.helper.start(["get-credentials"], request)
    }

    pub fn run(&self, arguments: &[&str], request: &str) -> Outcome {
        self.helper.run(arguments, request).into()
    }

    pub fn send(&self, request: &str) -> Outcome {
        self.start(request).wait().into()
    }

    pub fn ask(&self, version: &str, image: &str) -> Outcome {
        self.send(&request(version, image))
    }
}

/// What came of a request.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    pub duration: std::time::Duration,
}

impl From<support::Outcome> for Outcome {
    fn from(outcome: support::Outcome) -> Self {
        let support::Outcome { code, stdout, stderr, duration, .. } = outcome;
        Self { code, stdout, stderr, duration }
    }
}

/// What the kubelet's strict decoder takes, and nothing else.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Response {
    pub kind: String,
    pub api_version: String,
    pub cache_key_type: String,
    pub cache_duration: String,
    pub auth: BTreeMap<String, Credentials>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl Outcome {
    /// The response.
    ///
    /// # Panics
    /// There is none.
    pub fn response(&self) -> Response {
        assert_eq!(self.code, Some(0), "{self:?}");
        let response: Response = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(
            (response.kind.as_str(), response.cache_key_type.as_str()),
            ("CredentialProviderResponse", "Registry")
        );
        response
    }

    /// Whose the one token in the response is.
    pub fn identity(&self) -> String {
        let response = self.response();
        let [credentials] = &response.auth.values().collect::<Vec<_>>()[..] else { panic!("{self:?}") };
        support::Token::of_password(&credentials.password).identity
    }

    /// The one line on stderr.
    pub fn line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {self:?}"));
        assert!(!line.is_empty() && !line.contains('\n'), "one line: {self:?}");
        line
    }

    /// The reason of a failure, of which stdout says nothing.
    pub fn failure(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        self.line()
    }
}

/// A Go duration of whole seconds.
pub fn seconds(duration: &str) -> u64 {
    let (mut seconds, mut number) = (0, 0);
    for c in duration.chars() {
        match c {
            'h' => seconds += std::mem::take(&mut number) * 3600,
            'm' => seconds += std::mem::take(&mut number) * 60,
            's' => seconds += std::mem::take(&mut number),
            digit => number = number * 10 + u64::from(digit.to_digit(10).unwrap()),
        }
    }
    seconds
}
