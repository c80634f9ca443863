//! Sources of credentials whose secrets are marked, so that they can be searched for.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{FakeAws, Helper, REGISTRY};

const SECRET_KEY: &str = "marked-secret-access-key-9Qx7Lw2Vb5Nc8Zr1Kd4";
const SESSION_TOKEN: &str = "marked-session-token-4Tz8Hn1Yp6Gs3Mv7Bj2Xf5Rq9Wd4Lk8Cn1Vb6";
const AUTHORIZATION: &str = "marked-authorization-of-the-pod-8Wq3Zk6Jm1Xc4Vt7Rb2";
const ACCESS_TOKEN: &str = "marked-access-token-of-the-login-5Bn8Gq1Mz4Xk7Vc2Lw9";
const REFRESH_TOKEN: &str = "marked-refresh-token-of-the-login-1Hj4Ks7Pd2Qf5Rg8Tz3";

/// The keys, where a source reads marked ones.
pub const KEYS: [&str; 2] = [SECRET_KEY, SESSION_TOKEN];

/// What `docker login` would have kept.
pub const STORED: &str = "marked-secret-of-a-docker-login-6Zp3Wc8Kq1Tn5Yh9";

/// What another helper answers.
pub const ANSWERED: &str = "marked-secret-of-another-helper-2Vd7Mx4Qb9Hs1Lf6";

/// A login in a client's own file: base64 of `user:marked-password-...`.
pub const LOGIN: &str = "dXNlcjptYXJrZWQtcGFzc3dvcmQtb2YtYS1jbGllbnRzLWZpbGUtM0hrOFJ0";

/// A service account. Its name is no secret, though it is part of a fake token.
pub const POD: &str = "alice";

/// A kind of source, the helper that has it, and the marked secrets that it reads.
pub type Source = (&'static str, fn(&FakeAws) -> (Helper, Vec<String>));

fn owned(secrets: &[&str]) -> Vec<String> {
    secrets.iter().map(|secret| (*secret).to_owned()).collect()
}

fn keys(profile: &str) -> String {
    format!(
        "[{profile}]\naws_access_key_id = AKIAMARKED\naws_secret_access_key = {SECRET_KEY}\n\
         aws_session_token = {SESSION_TOKEN}\n"
    )
}

/// A login of SSO that is refreshed before it is used.
fn sso_login(aws: &FakeAws) -> (Helper, Vec<String>) {
    let start = "https://start.example.com";
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, b"corp");
    let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let login = serde_json::json!({
        "startUrl": start, "region": "us-west-2", "accessToken": ACCESS_TOKEN, "expiresAt": "2020-01-01T00:00:00Z",
        "clientId": "client", "clientSecret": "client-secret", "registrationExpiresAt": "2099-01-01T00:00:00Z",
        "refreshToken": REFRESH_TOKEN,
    });
    let helper = Helper::new().aws(aws);
    helper.write(&format!(".aws/sso/cache/{name}.json"), login.to_string());
    let helper = helper.aws_config(&format!(
        "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = R\n\
         [sso-session corp]\nsso_start_url = {start}\nsso_region = us-west-2\n"
    ));
    (helper, owned(&[ACCESS_TOKEN, REFRESH_TOKEN]))
}

pub const SOURCES: [Source; 8] = [
    ("keys of a file", |aws| {
        let helper = Helper::new().aws(aws);
        helper.write(".aws/credentials", keys("default"));
        (helper, owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("keys of the environment", |aws| {
        let helper = Helper::new().aws(aws).env("AWS_ACCESS_KEY_ID", "AKIAMARKED");
        let helper = helper.env("AWS_SECRET_ACCESS_KEY", SECRET_KEY).env("AWS_SESSION_TOKEN", SESSION_TOKEN);
        (helper, owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a role", |aws| {
        let helper = Helper::new().aws(aws);
        helper.write(".aws/credentials", keys("base"));
        let role = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n";
        (helper.aws_config(role), owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a web identity", |aws| {
        let claims = serde_json::json!({
            "iss": "https://oidc.example.com", "sub": "marked",
            "aud": "sts.amazonaws.com", "exp": 4_102_444_800_u64,
        });
        use base64::Engine as _;
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.{}", part("{\"alg\":\"RS256\"}"), part(&claims.to_string()), part(SESSION_TOKEN));
        let helper = Helper::new().aws(aws);
        let file = helper.write("token", &token);
        let role = "arn:aws:iam::123456789012:role/web";
        (helper.env("AWS_WEB_IDENTITY_TOKEN_FILE", file).env("AWS_ROLE_ARN", role), vec![token])
    }),
    ("the instance", |aws| (Helper::new().aws(aws).imds(aws), Vec::new())),
    ("the container", |aws| {
        aws.container_authorization(AUTHORIZATION);
        let helper = Helper::new().aws(aws);
        let file = helper.write("authorization", AUTHORIZATION);
        let helper = helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url()));
        (helper.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file), owned(&[AUTHORIZATION]))
    }),
    ("a command", |aws| {
        let helper = Helper::new().aws(aws);
        let answer = format!(
            "{{\"Version\":1,\"AccessKeyId\":\"AKIAMARKED\",\"SecretAccessKey\":\"{SECRET_KEY}\",\
             \"SessionToken\":\"{SESSION_TOKEN}\"}}"
        );
        let program = helper.script("creds", &format!("echo '{answer}'"));
        let config = format!("[default]\ncredential_process = {}\n", program.display());
        (helper.aws_config(&config), owned(&[SECRET_KEY, SESSION_TOKEN]))
    }),
    ("a login of SSO", sso_login),
];

/// What `docker login` sends.
pub fn login(registry: &str) -> String {
    format!(r#"{{"ServerURL":"{registry}","Username":"AWS","Secret":"{STORED}"}}"#)
}

/// What the kubelet asks.
pub fn request() -> String {
    serde_json::json!({
        "kind": "CredentialProviderRequest", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "image": format!("{REGISTRY}/app"),
    })
    .to_string()
}

/// The pieces by which a secret is found, also where its beginning is overwritten: every 24 bytes of it hold one.
pub fn pieces(secret: &str) -> BTreeSet<&[u8]> {
    let bytes = secret.as_bytes();
    assert!(bytes.len() >= 24, "too short to be looked for: {secret}");
    let pieces = (0..=bytes.len() - 16).step_by(8).map(|at| &bytes[at..at + 16]);
    let name = format!("system:serviceaccount:default:{POD}");
    pieces.filter(|piece| !name.as_bytes().windows(16).any(|window| window == *piece)).collect()
}

/// Which of the secrets are there, where, and in how many pieces.
pub fn places(secrets: &[String], memory: &[(String, Vec<u8>)]) -> BTreeMap<String, BTreeMap<String, usize>> {
    // By their first two bytes, so that one pass over the memory does for all.
    let mut wanted: Vec<Vec<(&str, &[u8])>> = vec![Vec::new(); 1 << 16];
    let first = |bytes: &[u8]| usize::from(bytes[0]) << 8 | usize::from(bytes[1]);
    for secret in secrets {
        pieces(secret).into_iter().for_each(|piece| wanted[first(piece)].push((secret, piece)));
    }
    let mut places: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, bytes) in memory {
        for (at, pair) in bytes.windows(2).enumerate() {
            for (secret, _) in wanted[first(pair)].iter().filter(|(_, piece)| bytes[at..].starts_with(piece)) {
                *places.entry((*secret).to_owned()).or_default().entry(name.clone()).or_default() += 1;
            }
        }
    }
    places
}
