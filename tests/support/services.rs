//! Each service's dialect: how to tell its requests, what its right answers and its errors look like.

use serde_json::{Value, json};

use super::aws::Service;
use super::issued::{Keys, authorization_token, rfc3339};
use super::request::Request;
use super::server::Response;

const AMZ_JSON: &str = "application/x-amz-json-1.1";
const JSON: &str = "application/json";
const STS_NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

impl Service {
    /// Which service a request is for; they all listen on one port.
    pub(super) fn of(request: &Request) -> Self {
        if request.method == "CONNECT" {
            return Self::Proxy;
        }
        let target = request.header("x-amz-target").unwrap_or("");
        if target == "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken" {
            return Self::Ecr;
        }
        if target == "SpencerFrontendService.GetAuthorizationToken" {
            return Self::EcrPublic;
        }
        if request.method == "POST" && request.form("Action").is_some() {
            return Self::Sts;
        }
        match request.path.as_str() {
            "/federation/credentials" => Self::Sso,
            "/token" => Self::SsoOidc,
            "/v1/token" => Self::SignIn,
            "/v2/" => Self::Registry,
            path if path.starts_with("/latest/") => Self::Imds,
            path if request.method == "GET" && path.contains("credentials") => Self::Container,
            _ => Self::Unknown,
        }
    }

    /// An error in the service's own form.
    pub(super) fn error(self, status: u16, code: &str, message: &str) -> Response {
        match self {
            Self::Sts => {
                let side = if status < 500 { "Sender" } else { "Receiver" };
                let body = format!(
                    "<ErrorResponse xmlns=\"{STS_NAMESPACE}\"><Error><Type>{side}</Type><Code>{code}</Code>\
                     <Message>{message}</Message></Error><RequestId>fake-request</RequestId></ErrorResponse>"
                );
                Response::new(status, "text/xml", body)
            }
            Self::Sso | Self::Container => {
                let body = json!({ "message": message, "code": code, "Code": code, "Message": message });
                Response::new(status, JSON, body.to_string()).header("x-amzn-errortype", code)
            }
            Self::SsoOidc => {
                let body = json!({ "error": oauth_error(code), "error_description": message });
                Response::new(status, JSON, body.to_string()).header("x-amzn-errortype", code)
            }
            Self::SignIn => {
                let body = json!({ "error": code, "message": message });
                Response::new(status, JSON, body.to_string()).header("x-amzn-errortype", "AccessDeniedException")
            }
            Self::Imds => Response::new(status, "text/html", format!("<html>{code}: {message}</html>")),
            Self::Ecr | Self::EcrPublic | Self::Registry | Self::Proxy | Self::Unknown => {
                Response::new(status, AMZ_JSON, json!({ "__type": code, "message": message }).to_string())
            }
        }
    }

    /// A well-formed answer in which the thing asked for is missing.
    pub(super) fn without_data(self) -> Response {
        match self {
            Self::Ecr => Response::new(200, AMZ_JSON, json!({ "authorizationData": [] }).to_string()),
            Self::Sts => {
                let body = format!(
                    "<AssumeRoleResponse xmlns=\"{STS_NAMESPACE}\"><AssumeRoleResult></AssumeRoleResult>\
                     </AssumeRoleResponse>"
                );
                Response::new(200, "text/xml", body)
            }
            _ => Response::new(200, JSON, "{}"),
        }
    }

    /// An answer with this authorization token, whatever it is.
    pub(super) fn with_token(self, token: &str) -> Response {
        ecr_answer(self, token, 4_102_444_800)
    }
}

/// The OAuth name of an exception of SSO OIDC (RFC 6749, section 5.2).
fn oauth_error(code: &str) -> &str {
    match code {
        "InvalidGrantException" => "invalid_grant",
        "ExpiredTokenException" => "expired_token",
        "AccessDeniedException" => "access_denied",
        other => other,
    }
}

/// `GetAuthorizationToken` of ECR and of ECR Public.
pub(super) fn ecr_token(service: Service, password: &str, ends_at: u64) -> Response {
    ecr_answer(service, &authorization_token(password), ends_at)
}

fn ecr_answer(service: Service, token: &str, ends_at: u64) -> Response {
    let mut data = json!({ "authorizationToken": token, "expiresAt": ends_at });
    if service == Service::Ecr {
        data["proxyEndpoint"] = json!("https://123456789012.dkr.ecr.eu-west-1.amazonaws.com");
        data = json!([data]);
    }
    Response::new(200, AMZ_JSON, json!({ "authorizationData": data }).to_string())
}

/// `AssumeRole` and `AssumeRoleWithWebIdentity`.
pub(super) fn sts_role(action: &str, role_arn: &str, session: &str, keys: &Keys) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"{STS_NAMESPACE}\"><{action}Result><AssumedRoleUser><AssumedRoleId>AROAFAKE:{session}\
         </AssumedRoleId><Arn>{role_arn}/{session}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{}</AccessKeyId>\
         <SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>\
         </{action}Result><ResponseMetadata><RequestId>fake-request</RequestId></ResponseMetadata></{action}Response>",
        keys.id,
        keys.secret,
        keys.session_token,
        rfc3339(keys.ends_at),
    );
    Response::new(200, "text/xml", body)
}

/// `GetCallerIdentity`.
pub(super) fn sts_caller(identity: &str) -> Response {
    let body = format!(
        "<GetCallerIdentityResponse xmlns=\"{STS_NAMESPACE}\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::123456789012:user/{identity}</Arn><UserId>AIDAFAKE</UserId><Account>123456789012</Account>\
         </GetCallerIdentityResult><ResponseMetadata><RequestId>fake-request</RequestId></ResponseMetadata>\
         </GetCallerIdentityResponse>"
    );
    Response::new(200, "text/xml", body)
}

/// `GetRoleCredentials` of the SSO portal.
pub(super) fn sso_role(keys: &Keys) -> Response {
    let body = json!({ "roleCredentials": {
        "accessKeyId": keys.id, "secretAccessKey": keys.secret, "sessionToken": keys.session_token,
        "expiration": keys.ends_at * 1000,
    }});
    Response::new(200, JSON, body.to_string())
}

/// `CreateToken` of SSO OIDC.
pub(super) fn oidc_token(access: &str, refresh: &str, life: u64) -> Response {
    let body = json!({ "accessToken": access, "refreshToken": refresh, "expiresIn": life, "tokenType": "Bearer" });
    Response::new(200, JSON, body.to_string())
}

/// The keys of an instance's role, or of a container's.
pub(super) fn keys_document(keys: &Keys, of_instance: bool) -> Response {
    let mut body: Value = json!({
        "AccessKeyId": keys.id, "SecretAccessKey": keys.secret, "Token": keys.session_token,
        "Expiration": rfc3339(keys.ends_at),
    });
    if of_instance {
        body["Code"] = json!("Success");
        body["Type"] = json!("AWS-HMAC");
        body["LastUpdated"] = json!(rfc3339(super::issued::now()));
    }
    Response::new(200, JSON, body.to_string())
}
