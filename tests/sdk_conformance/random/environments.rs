//! Setups of credential sources made at random: variables and files of few values each, so that two are alike in most things.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::sdk_answers::login_name;

pub const REGISTRY: &str = "RANDOM_REGISTRY";
pub const REGISTRIES: [&str; 4] = [
    "111111111111.dkr.ecr.eu-west-1.amazonaws.com",
    "222222222222.dkr.ecr.eu-west-1.amazonaws.com",
    "111111111111.dkr.ecr.us-east-1.amazonaws.com",
    "public.ecr.aws",
];
const PROFILES: [&str; 4] = ["default", "one", "two", "three"];
/// When the JWTs end: in 2096.
const END: i64 = 4_000_000_000;

/// Variables and files.
#[derive(Clone, Debug, Default)]
pub struct SourceSetup {
    pub variables: Vec<(&'static str, String)>,
    pub config: String,
    pub credentials: String,
}

/// Makes setups.
pub struct Maker(pub fastrand::Rng);

impl Maker {
    fn one_in(&mut self, number: u32) -> bool {
        self.0.u32(..number) == 0
    }

    fn of<'a>(&mut self, values: &[&'a str]) -> &'a str {
        values[self.0.usize(..values.len())]
    }

    pub fn setup(&mut self, home: &str) -> SourceSetup {
        let mut setup = SourceSetup::default();
        let mut set = |name, value: &str| setup.variables.push((name, value.to_owned()));
        set(REGISTRY, self.of(&REGISTRIES));
        if self.one_in(5) {
            set("AWS_ACCESS_KEY_ID", self.of(&["A", "B"]));
            set("AWS_SECRET_ACCESS_KEY", self.of(&["x", "y"]));
            if self.one_in(2) {
                set("AWS_SESSION_TOKEN", self.of(&["u", "v"]));
            }
        }
        if self.one_in(2) {
            set("AWS_PROFILE", self.of(&PROFILES));
        }
        if self.one_in(4) {
            set("AWS_WEB_IDENTITY_TOKEN_FILE", &format!("{home}/{}", self.of(TOKENS)));
            set("AWS_ROLE_ARN", self.of(ROLES));
            if self.one_in(2) {
                set("AWS_ROLE_SESSION_NAME", self.of(&["n1", "n2"]));
            }
        }
        match self.0.u32(..6) {
            0 => set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", self.of(&["/c1", "/c2"])),
            1 => set("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.of(CONTAINERS)),
            _ => {}
        }
        match self.0.u32(..6) {
            0 => set("AWS_CONTAINER_AUTHORIZATION_TOKEN", self.of(&["u", "v"])),
            1 => set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &format!("{home}/{}", self.of(TOKENS))),
            _ => {}
        }
        match self.0.u32(..4) {
            0 => set("AWS_EC2_METADATA_DISABLED", "true"),
            1 => set("AWS_EC2_METADATA_SERVICE_ENDPOINT", self.of(&["http://127.0.0.1:1", "http://127.0.0.1:2"])),
            2 => set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", self.of(&["IPv4", "IPv6"])),
            _ => {}
        }
        for name in ENDPOINT_VARIABLES {
            if self.one_in(12) {
                set(name, self.of(ENDPOINTS));
            }
        }
        if self.one_in(15) {
            set("AWS_USE_FIPS_ENDPOINT", self.of(&["true", "false"]));
        }
        if self.one_in(15) {
            set("AWS_USE_DUALSTACK_ENDPOINT", self.of(&["true", "false"]));
        }
        if self.one_in(15) {
            set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", self.of(&["true", "false"]));
        }
        for profile in PROFILES {
            self.profile(profile, home, &mut setup);
        }
        for session in ["s1", "s2"] {
            let (region, url) = (self.of(&["eu-west-1", "us-east-1"]), self.of(&["https://a", "https://b"]));
            writeln!(setup.config, "[sso-session {session}]\nsso_region = {region}\nsso_start_url = {url}").unwrap();
        }
        let services = ["ecr", "ecr_public", "sts", "sso"]
            .map(|name| format!("{name} =\n  endpoint_url = {}", self.of(ENDPOINTS)));
        writeln!(setup.config, "[services mine]\n{}", services.join("\n")).unwrap();
        setup
    }

    fn profile(&mut self, name: &str, home: &str, setup: &mut SourceSetup) {
        let section = if name == "default" { "[default]".to_owned() } else { format!("[profile {name}]") };
        let mut lines = vec![section];
        if self.one_in(5) {
            let keys = self.keys();
            writeln!(setup.credentials, "[{name}]\n{keys}").unwrap();
        }
        match self.0.u32(..10) {
            0..3 => {
                lines.push(format!("role_arn = {}\nsource_profile = {}", self.of(ROLES), self.of(&PROFILES)));
                self.more_of_role(&mut lines);
            }
            3 => {
                let source = self.of(&["Environment", "EcsContainer", "Ec2InstanceMetadata"]);
                lines.push(format!("role_arn = {}\ncredential_source = {source}", self.of(ROLES)));
                self.more_of_role(&mut lines);
            }
            4 => lines.push(self.keys()),
            5 => {
                let (role, token) = (self.of(ROLES), self.of(TOKENS));
                lines.push(format!("role_arn = {role}\nweb_identity_token_file = {home}/{token}"));
                if self.one_in(3) {
                    lines.push(format!("role_session_name = {}", self.of(&["n1", "n2"])));
                }
            }
            6 => lines.push(format!("sso_session = {}\n{}", self.of(&["s1", "s2"]), self.sso())),
            7 => {
                let (region, url) = (self.of(&["eu-west-1", "us-east-1"]), self.of(&["https://a", "https://b"]));
                lines.push(format!("sso_region = {region}\nsso_start_url = {url}\n{}", self.sso()));
            }
            8 => lines.push(format!("credential_process = /bin/sh {home}/process {}", self.of(&["P", "Q"]))),
            _ => {}
        }
        if self.one_in(8) {
            lines.push(format!("endpoint_url = {}", self.of(ENDPOINTS)));
        }
        if self.one_in(8) {
            lines.push("services = mine".to_owned());
        }
        for flag in ["use_fips_endpoint", "use_dualstack_endpoint", "ignore_configured_endpoint_urls"] {
            if self.one_in(20) {
                lines.push(format!("{flag} = {}", self.of(&["true", "false"])));
            }
        }
        writeln!(setup.config, "{}", lines.join("\n")).unwrap();
    }

    fn keys(&mut self) -> String {
        let (id, secret) = (self.of(&["A", "B"]), self.of(&["x", "y"]));
        let token =
            if self.one_in(2) { format!("\naws_session_token = {}", self.of(&["u", "v"])) } else { String::new() };
        format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}{token}")
    }

    fn sso(&mut self) -> String {
        format!("sso_account_id = {}\nsso_role_name = {}", self.of(&["1", "2"]), self.of(&["R", "S"]))
    }

    fn more_of_role(&mut self, lines: &mut Vec<String>) {
        if self.one_in(4) {
            lines.push(format!("role_session_name = {}", self.of(&["n1", "n2"])));
        }
        if self.one_in(4) {
            lines.push(format!("external_id = {}", self.of(&["e1", "e2"])));
        }
    }
}

const ROLES: &[&str] = &["arn:aws:iam::1:role/r", "arn:aws:iam::1:role/s"];
pub const ENDPOINTS: &[&str] = &["http://e1", "http://e2"];
const ENDPOINT_VARIABLES: [&str; 5] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO",
];
const CONTAINERS: &[&str] = &["http://169.254.170.23/c1", "http://169.254.170.2/c2", "http://127.0.0.1/c1"];
/// Files with web identity tokens. Two of them are of one principal.
pub const TOKENS: &[&str] = &["opaque", "other", "jwt", "jwt-renewed", "jwt-of-another"];

fn token(name: &str) -> String {
    let jwt = |subject: &str, id: u32| {
        let claims = format!(r#"{{"iss":"i","aud":"a","sub":"{subject}","exp":{END},"jti":"{id}"}}"#);
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    };
    match name {
        "jwt" => jwt("a", 1),
        "jwt-renewed" => jwt("a", 2),
        "jwt-of-another" => jwt("b", 1),
        opaque => opaque.to_owned(),
    }
}

/// The subject of a token.
pub fn principal(text: &str) -> &'static str {
    let name = TOKENS.iter().find(|name| token(name) == text);
    match name.copied() {
        Some("jwt" | "jwt-renewed") => "jwt-of-a",
        Some(name) => name,
        None if text == "u" => "u",
        None if text == "v" => "v",
        None => "-",
    }
}

/// A home whose token files and logins are there; the path is the same for all setups, since an SSO login is told by
/// where it is.
pub fn prepare(home: &Path) {
    let logins = home.join(".aws/sso/cache");
    std::fs::create_dir_all(&logins).unwrap();
    for name in TOKENS {
        std::fs::write(home.join(name), token(name)).unwrap();
    }
    let process = r#"echo '{"Version": 1, "AccessKeyId": "process('$1')", "SecretAccessKey": "s"}'"#;
    std::fs::write(home.join("process"), process).unwrap();
    for identifier in ["s1", "s2", "https://a", "https://b"] {
        let login = format!(r#"{{"accessToken": "login-{identifier}", "expiresAt": "2099-01-01T00:00:00Z"}}"#);
        std::fs::write(logins.join(login_name(identifier)), login).unwrap();
    }
}
