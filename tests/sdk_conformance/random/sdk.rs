//! What the SDK's own chain and clients say in this process, with a fake of AWS that writes down what it was asked.

use std::sync::{Arc, Mutex};

use aws_config::retry::RetryConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use ecr_login::registry::{Registry, Service};

use super::environments::principal;
use crate::sdk_answers::{assumed, document, portal, signer};

/// Whose keys the chain yields, and the host that the client of ECR asks; `-` where it asks none that could be.
pub fn by_the_sdk(registry: &Registry) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fake = FakeAws::default();
    let connector = fake.clone();
    runtime.block_on(async {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .region(aws_config::Region::new(registry.region().to_owned()))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
            .load()
            .await;
        let answer = match config.credentials_provider().unwrap().provide_credentials().await {
            // What the fake has made says everything itself.
            Ok(keys) if keys.access_key_id().contains('(') => keys.access_key_id().to_owned(),
            Ok(keys) => {
                let token = keys.session_token().unwrap_or("-");
                format!("keys({},{},{token})", keys.access_key_id(), keys.secret_access_key())
            }
            Err(error) => format!("!{error:?}").replace('\n', " "),
        };
        match registry.service() {
            Service::Private => drop(aws_sdk_ecr::Client::new(&config).get_authorization_token().send().await),
            Service::Public => drop(aws_sdk_ecrpublic::Client::new(&config).get_authorization_token().send().await),
        }
        let host = fake.asked.lock().unwrap().clone();
        // The general reference documents another host than the SDK's rule set has: tests/integration/registry/endpoints.rs.
        let host = host.replace("//api.ecr-fips.", "//ecr-fips.");
        // FIPS and dual-stack make ECR Public's SDK resolve hosts that do not exist.
        let invented = registry.service() == Service::Public && host.contains("aws");
        (answer, if host.is_empty() || invented { "-".to_owned() } else { host })
    })
}

/// AWS as far as credentials need it: the access key id of what it hands out says what was asked, where and by whom.
#[derive(Clone, Debug, Default)]
struct FakeAws {
    /// The host of the last call that is for ECR.
    asked: Arc<Mutex<String>>,
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, answer, ttl) = self.answer(&request);
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer));
        if ttl {
            response.headers_mut().insert("x-aws-ec2-metadata-token-ttl-seconds", "21600");
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl FakeAws {
    fn answer(&self, request: &HttpRequest) -> (u16, String, bool) {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let form = |name: &str| {
            let value = body.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            value.map(|value| value.replace("%3A", ":").replace("%2F", "/"))
        };
        let header = |name: &str| request.headers().get(name).unwrap_or_default();
        let uri = request.uri();
        let (scheme, rest) = uri.split_once("://").unwrap();
        let host = format!("{scheme}://{}", rest.split(['/', '?']).next().unwrap());
        // A name that is not chosen is made of the time.
        let session = form("RoleSessionName").filter(|name| ["n1", "n2"].contains(&name.as_str()));
        let session = session.unwrap_or_else(|| "-".to_owned());
        let sts = if host.contains(".amazonaws.com") || host.contains(".api.aws") { "-" } else { &host };
        let role = form("RoleArn").unwrap_or_default();
        if !header("x-amz-target").is_empty() {
            *self.asked.lock().unwrap() = host;
            return (400, "{}".to_owned(), false);
        }
        if body.contains("Action=AssumeRoleWithWebIdentity") {
            let principal = principal(&form("WebIdentityToken").unwrap_or_default());
            let id = format!("web({sts},{role},{session},{principal})");
            return (200, assumed("AssumeRoleWithWebIdentity", &id), false);
        }
        if body.contains("Action=AssumeRole&") {
            let key = signer(header("authorization"));
            let by = match header("x-amz-security-token") {
                _ if key.contains('(') => key.to_owned(),
                "" => format!("keys({key},-)"),
                token => format!("keys({key},{token})"),
            };
            let external = form("ExternalId").unwrap_or_else(|| "-".to_owned());
            let id = format!("role({sts},{role},{session},{external})by {by}");
            return (200, assumed("AssumeRole", &id), false);
        }
        if uri.contains("/federation/credentials") {
            let query = |name: &str| uri.split_once(name).unwrap().1.split('&').next().unwrap().to_owned();
            let (account, role) = (query("account_id="), query("role_name="));
            let place = host.strip_prefix("https://portal.sso").and_then(|rest| rest.split('.').nth(1));
            let bearer = header("x-amz-sso_bearer_token");
            return (200, portal(&format!("sso({},{account},{role},{bearer})", place.unwrap_or(&host))), false);
        }
        if uri.contains("/latest/") {
            let ttl = uri.ends_with("/api/token");
            let name = ttl || uri.ends_with("/security-credentials/");
            let answer = if name { "x".to_owned() } else { document(&format!("instance({host})")) };
            return (200, answer, ttl);
        }
        let by = principal(header("authorization"));
        (200, document(&format!("container({uri},{by})")), false)
    }
}
