//! Words of servers, files and arguments that would drive a terminal, forge a second line, or break a JSON answer.

use std::ffi::OsString;

use crate::support::{FakeAws, Fault, Helper, Outcome, REGISTRY, Service};

/// Clears the screen, sets its title, forges a line, hides and turns text around.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\r\ndocker-credential-ecr-login: all is well\u{9b}31m\u{2028}\u{202e}\u{200b}\u{0}\u{8}y";

/// No character that misleads; and so many lines at most.
fn plain(what: &str, text: &str, lines: usize) {
    let bad: Vec<char> = text.chars().filter(|c| *c != '\n' && ecr_login::text::printable::misleads(*c)).collect();
    assert!(bad.is_empty(), "{what}: {bad:?} in {text:?}");
    assert!(text.lines().count() <= lines, "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("docker-credential-ecr-login: all is well")), "{what}: {text:?}");
}

/// One line on stderr, and as many in the log as events, each with its time.
fn one_line(what: &str, helper: Helper) -> Outcome {
    let log = helper.home().join("log");
    let helper = helper.env("ECR_LOGIN_LOG", "trace").env("ECR_LOGIN_LOG_FILE", &log).env("ECR_LOGIN_TIMEOUT", "3");
    let get = helper.get(REGISTRY);
    get.failure();
    plain(what, &get.stderr, 1);
    let log = std::fs::read_to_string(log).unwrap_or_default();
    plain(what, &log, usize::MAX);
    for line in log.lines() {
        assert!(line.starts_with("20") && line.contains("Z "), "{what}: a line of somebody else's: {line:?}");
    }
    let doctor = helper.run(["doctor", REGISTRY], "");
    assert_eq!(doctor.code, Some(1), "{what}: {doctor:?}");
    plain(what, &doctor.stdout, 60);
    plain(what, &doctor.stderr, 1);
    get
}

#[test]
fn what_a_hostile_server_says_stays_on_its_line() {
    let code: &'static str = "Evil\u{1b}[31m\nException";
    for service in [Service::Ecr, Service::Sts, Service::Sso, Service::Imds, Service::Container] {
        // XML has no way to write most control characters but these; JSON has.
        let message = match service {
            Service::Sts => "x&#10;docker-credential-ecr-login: all is well&#13;&#9;&#x9b;31m&#x202e;y".to_owned(),
            Service::Ecr | Service::Sso | Service::Container | Service::Imds => HOSTILE.to_owned(),
            _ => unreachable!(),
        };
        let code = if service == Service::Sts { "Evil&#10;Exception" } else { code };
        for status in [400, 403, 500] {
            let aws = FakeAws::start();
            aws.fail(service, Fault::Error { status, code, message: message.clone() });
            let what = format!("{service:?} {status}");
            one_line(&what, with_source(&aws, service));
        }
        let aws = FakeAws::start();
        let body =
            format!("{{\"Code\":{0},\"Message\":{0},\"message\":{0},\"__type\":{0}}}", serde_json::json!(HOSTILE));
        aws.fail(service, Fault::Body { status: 418, content_type: "text/x\u{1b}", body: body.into_bytes() });
        one_line(&format!("{service:?} of no form"), with_source(&aws, service));
    }
}

/// A helper whose keys come from this service.
fn with_source(aws: &FakeAws, service: Service) -> Helper {
    let helper = Helper::new().aws(aws);
    match service {
        Service::Imds => helper.imds(aws),
        Service::Container => helper.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url())),
        Service::Sts => {
            let token = helper.write("token", "a-token");
            let role = "arn:aws:iam::123456789012:role/web";
            helper.env("AWS_WEB_IDENTITY_TOKEN_FILE", token).env("AWS_ROLE_ARN", role)
        }
        Service::Sso => {
            let start = "https://start.example.com";
            let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, start.as_bytes());
            let name: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            let login = serde_json::json!({
                "startUrl": start, "region": "us-west-2", "accessToken": "a", "expiresAt": "2099-01-01T00:00:00Z",
            });
            helper.write(&format!(".aws/sso/cache/{name}.json"), login.to_string());
            helper.aws_config(&format!(
                "[default]\nsso_start_url = {start}\nsso_region = us-west-2\nsso_account_id = 123456789012\n\
                 sso_role_name = R\n"
            ))
        }
        _ => helper.keys("AKIAEXAMPLE"),
    }
}

#[test]
fn what_files_and_variables_hold_stays_on_its_line() {
    let aws = FakeAws::start();
    let new = || Helper::new().aws(&aws);
    let toml: String = HOSTILE.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    let no_nul = HOSTILE.replace('\0', "");
    let no_line = no_nul.replace(['\r', '\n'], " ");
    // The file's own name is no place for them on all file systems; here it is one.
    let odd = new().write("odd\u{1b}[2J\n/config", "[[[");
    let cases: Vec<(&str, Helper)> = vec![
        ("a key of the settings", new().settings(&format!("\"{toml}\" = 1\n"))),
        ("a value of the settings", new().settings(&format!("timeout = \"{toml}\"\n"))),
        ("a pattern", new().settings(&format!("[[registry]]\nmatch = \"{toml}\"\nprofile = \"x\"\n"))),
        ("a profile", new().settings(&format!("[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"{toml}\"\n"))),
        ("a delegate", new().settings(&format!("delegate = \"{toml}\"\n"))),
        ("the settings' name", new().env("ECR_LOGIN_CONFIG", &odd)),
        ("AWS's config's name", new().env("AWS_CONFIG_FILE", &odd)),
        ("AWS_PROFILE", new().env("AWS_PROFILE", &no_nul)),
        ("a line of the config", new().aws_config(&format!("[profile {no_line}\n"))),
        (
            "a section",
            new()
                .aws_config(&format!("[profile {no_line}]\nsource_profile = {no_line}\nrole_arn = {no_line}\n"))
                .env("AWS_PROFILE", &no_line),
        ),
        (
            "a credential_source",
            new().aws_config(&format!(
                "[default]\nrole_arn = arn:aws:iam::123456789012:role/x\ncredential_source = {no_line}\n"
            )),
        ),
        ("a command", new().aws_config(&format!("[default]\ncredential_process = /{no_line}\n"))),
        (
            "an sso_session",
            new().aws_config(&format!("[default]\nsso_session = {no_line}\nsso_account_id = 1\nsso_role_name = x\n")),
        ),
        ("a timeout", new().keys("AKIAEXAMPLE").env("ECR_LOGIN_TIMEOUT", &no_nul)),
        ("an endpoint", new().keys("AKIAEXAMPLE").env("AWS_ENDPOINT_URL", &no_nul)),
        (
            "a proxy",
            Helper::new()
                .keys("AKIAEXAMPLE")
                .env("AWS_ENDPOINT_URL", "https://ecr.invalid")
                .env("HTTPS_PROXY", &no_nul),
        ),
        (
            "a bundle",
            new().keys("AKIAEXAMPLE").env("AWS_ENDPOINT_URL", "https://127.0.0.1:9").env("AWS_CA_BUNDLE", &no_nul),
        ),
        ("a token file", new().env("AWS_WEB_IDENTITY_TOKEN_FILE", &no_nul).env("AWS_ROLE_ARN", &no_nul)),
        ("an agent", new().env("AWS_CONTAINER_CREDENTIALS_FULL_URI", &no_nul)),
        (
            "a region",
            new()
                .keys("AKIAEXAMPLE")
                .env("AWS_ENDPOINT_URL_STS", &no_nul)
                .aws_config(&format!("[default]\nregion = {no_line}\nrole_arn = {no_line}\nsource_profile = default\n"))
                .without("AWS_ACCESS_KEY_ID"),
        ),
    ];
    for (what, helper) in cases {
        let helper = helper.env("ECR_LOGIN_TIMEOUT", if what == "a timeout" { no_nul.as_str() } else { "3" });
        let get = helper.get(REGISTRY);
        get.failure();
        plain(what, &get.stderr, 1);
        for arguments in
            [&["doctor", REGISTRY][..], &["status"], &["list"], &["warm", REGISTRY], &["password", REGISTRY]]
        {
            let run = helper.run(arguments, "");
            plain(&format!("{what}: {arguments:?}"), &run.stdout, 60);
            plain(&format!("{what}: {arguments:?}"), &run.stderr, 4);
        }
    }
}

#[test]
fn what_arguments_hold_stays_on_its_line() {
    let hostile = OsString::from(HOSTILE.replace('\0', ""));
    let helper = Helper::new().keys("AKIAEXAMPLE");
    for command in ["warm", "password", "doctor", "clear", "get", "store", "setup", "setup docker --registry"] {
        let mut arguments: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        arguments.push(hostile.clone());
        let run = helper.run(&arguments, "");
        assert_ne!(run.code, Some(0), "{command}: {run:?}");
        plain(command, &run.stderr, 12);
        plain(command, &run.stdout, 60);
    }
    let run = helper.run([&hostile], "");
    plain("an action", &run.stdout, 1);
}

/// Fields of a log line are what they are, whatever a server says.
#[test]
fn a_value_in_the_log_cannot_look_like_another_field() {
    let aws = FakeAws::start();
    let message = "no\" outcome=Serve registry=\"evil.org".to_owned();
    aws.fail(Service::Ecr, Fault::Error { status: 400, code: "AccessDeniedException", message });
    let get = Helper::new().aws(&aws).keys("AKIAEXAMPLE").env("ECR_LOGIN_LOG", "warn").get(REGISTRY);
    let line = get.stderr.lines().find(|line| line.contains(" WARN ")).unwrap();
    let (_, reason) = line.split_once(" reason=\"").unwrap();
    assert!(reason.contains("no' outcome=Serve registry='evil.org"), "{line}");
    assert_eq!(reason.find('"'), Some(reason.len() - 1), "{line}");
}

/// Whatever bytes a server takes for a password: the answer is one line of JSON, or there is none.
#[test]
fn a_token_of_any_bytes_breaks_no_answer() {
    let aws = FakeAws::start();
    for password in [
        "a\"b\\c",
        "\",\"Username\":\"root\",\"x\":\"",
        "}\n{\"Secret\":\"forged\"}",
        "a\nb",
        "a\u{0}b",
        "\u{1b}[2J",
        "\u{2028}\u{2029}",
        "ü😀\u{feff}",
        "</script>",
        ":::",
    ] {
        use aws_smithy_types::base64;
        let token = base64::encode(format!("AWS:{password}"));
        let body = serde_json::json!({ "authorizationData": [{
            "authorizationToken": token, "expiresAt": 4_102_444_800_u64,
            "proxyEndpoint": "https://evil.org\", \"x\": \"",
        }]});
        let body = body.to_string().into_bytes();
        aws.fail(Service::Ecr, Fault::Body { status: 200, content_type: "application/x-amz-json-1.1", body });
        for arguments in [&["get"][..], &["kubelet"]] {
            let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").env("AWS_ECR_DISABLE_CACHE", "1");
            let request = serde_json::json!({
                "kind": "CredentialProviderRequest", "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                "image": format!("{REGISTRY}/app"),
            });
            let input = if arguments[0] == "get" { REGISTRY.to_owned() } else { request.to_string() };
            let run = helper.run(arguments, input);
            plain(&format!("{password:?}"), &run.stderr, 1);
            if password.contains(char::is_control) {
                assert_eq!(run.code, Some(1), "{password:?}: {run:?}");
                assert!(run.line().contains("an unusable answer"), "{password:?}: {run:?}");
                continue;
            }
            assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 1), "{password:?}: {run:?}");
            let answer: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            if arguments[0] == "get" {
                let expected = serde_json::json!({ "ServerURL": REGISTRY, "Username": "AWS", "Secret": password });
                assert_eq!(answer, expected);
            } else {
                let expected = serde_json::json!({ REGISTRY: { "username": "AWS", "password": password } });
                assert_eq!(answer["auth"], expected);
            }
        }
    }
}
