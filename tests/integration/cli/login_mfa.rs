//! `login` for a role that wants a code from an MFA device, on a terminal of its own; and the twelve hours after it.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::cache::{HOUR, age};
use crate::support::pty::{Terminal, run_without_terminal};
use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Service};

const DEVICE: &str = "arn:aws:iam::123456789012:mfa/ann";

const CONFIG: &str = "\
[profile keys]
aws_access_key_id = AKIDANN
aws_secret_access_key = hunter2hunter2
[profile prod]
role_arn = arn:aws:iam::123456789012:role/prod
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/ann
region = eu-west-1
[profile deep]
role_arn = arn:aws:iam::123456789012:role/deep
source_profile = prod
region = eu-west-1
";

const PROMPT: &str = "MFA code of arn:aws:iam::123456789012:mfa/ann: ";

fn ann(aws: &FakeAws) -> Helper {
    Helper::new().aws(aws).aws_config(CONFIG).env("AWS_PROFILE", "prod")
}

/// Signs in with this code.
fn login(aws: &FakeAws, helper: &Helper, arguments: &[&str]) -> Outcome {
    aws.mfa_code("123456");
    let mut terminal = Terminal::start(helper, arguments, "");
    terminal.wait_for(PROMPT, 1);
    terminal.press("123456\r");
    terminal.finish().0
}

#[test]
fn a_code_from_the_terminal_is_good_for_the_pulls_of_twelve_hours() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    let refused = helper.get(REGISTRY);
    let line = refused.failure();
    assert!(line.contains(&format!("wants a code from the MFA device {DEVICE}")), "{line}");
    assert!(line.contains(&format!("run \"docker-credential-ecr-login login {REGISTRY}\" in a terminal")), "{line}");
    assert!(aws.all_calls().is_empty(), "nothing was asked of AWS");
    let login = login(&aws, &helper, &["login", REGISTRY]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(login.stdout.starts_with(&format!("profile prod: {REGISTRY}: good for ")), "{login:?}");
    let asked = &aws.requests(Service::Sts)[0];
    assert_eq!(
        (asked.form("SerialNumber").as_deref(), asked.form("TokenCode").as_deref()),
        (Some(DEVICE), Some("123456"))
    );
    let calls = aws.all_calls().len();
    assert_eq!(helper.get(REGISTRY).token().identity, "role-prod-by-AKIDANN");
    // The second half of its life: served, and no process tries to refresh it.
    age(&helper, 8 * HOUR);
    assert_eq!(helper.get(REGISTRY).token().identity, "role-prod-by-AKIDANN");
    // Its last quarter of an hour: served, with the line that says what to do.
    age(&helper, 3 * HOUR + 50 * 60);
    let near_its_end = helper.get(REGISTRY);
    assert_eq!(near_its_end.token_with_warning().identity, "role-prod-by-AKIDANN");
    let line = near_its_end.line();
    assert!(line.contains("the token ends in") && line.contains(&format!("login {REGISTRY}")), "{line}");
    age(&helper, HOUR);
    helper.get(REGISTRY).failure();
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(aws.all_calls().len(), calls, "no call to AWS in the background");
}

#[test]
fn a_wrong_code_an_empty_one_and_letters_are_asked_for_again() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    aws.mfa_code("654321");
    let mut terminal = Terminal::start(&helper, &["login", REGISTRY], "");
    terminal.wait_for(PROMPT, 1);
    terminal.press("\r");
    terminal.wait_for("A code has 6 digits.", 1);
    terminal.wait_for(PROMPT, 2);
    terminal.press("12x456\r");
    terminal.wait_for(PROMPT, 3);
    assert_eq!(aws.calls(Service::Sts), 0, "what cannot be a code is not sent");
    terminal.press("111111\r");
    terminal.wait_for("STS does not accept this code.", 1);
    terminal.wait_for(PROMPT, 4);
    terminal.press("654321\r");
    let (login, _) = terminal.finish();
    assert_eq!(login.code, Some(0), "{login:?}");
    assert_eq!(aws.calls(Service::Sts), 2);
}

#[test]
fn three_wrong_codes_end_it_with_a_line_that_names_the_device() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    let mut terminal = Terminal::start(&helper, &["login", REGISTRY], "");
    for n in 1..=3 {
        terminal.wait_for(PROMPT, n);
        terminal.press("000000\r");
    }
    let (login, _) = terminal.finish();
    assert_eq!(login.code, Some(1), "{login:?}");
    assert!(login.line().contains(DEVICE) && login.line().contains("invalid MFA one time pass code"), "{login:?}");
}

#[test]
fn without_a_terminal_stdin_is_not_read_and_the_remedy_is_named() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    aws.mfa_code("123456");
    let login = run_without_terminal(&helper, &["login", REGISTRY], "123456\n");
    assert_eq!((login.code, login.stdout.as_str()), (Some(1), ""), "{login:?}");
    assert!(
        login.line().contains("there is no terminal to ask on") && login.line().contains("run this in a terminal"),
        "{login:?}"
    );
    assert_eq!(aws.calls(Service::Sts), 0);
}

#[test]
fn what_a_client_writes_to_stdin_is_no_code() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    aws.mfa_code("123456");
    let mut terminal = Terminal::start(&helper, &["login", REGISTRY], "999999\n");
    terminal.wait_for(PROMPT, 1);
    terminal.press("123456\r");
    let (login, screen) = terminal.finish();
    assert_eq!(login.code, Some(0), "{login:?}");
    assert!(!screen.contains("999999"), "{screen}");
    assert_eq!(aws.calls(Service::Sts), 1);
}

#[test]
fn a_role_at_the_end_of_a_chain_asks_for_the_code_of_the_link_that_wants_one() {
    let aws = FakeAws::start();
    let helper = ann(&aws).env("AWS_PROFILE", "deep");
    let login = login(&aws, &helper, &["login", REGISTRY]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert_eq!(helper.get(REGISTRY).token().identity, "role-deep-by-role-prod-by-AKIDANN");
    let serials: Vec<_> = aws.requests(Service::Sts).iter().map(|asked| asked.form("SerialNumber")).collect();
    assert_eq!(serials, [Some(DEVICE.to_owned()), None]);
}

#[test]
fn registries_of_two_regions_cost_one_code() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    let other = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let helpers = format!(r#"{{"credHelpers":{{"{REGISTRY}":"ecr-login","{other}":"ecr-login"}}}}"#);
    helper.write(".docker/config.json", helpers);
    let login = login(&aws, &helper, &["login"]);
    assert_eq!(login.code, Some(0), "{login:?}");
    for registry in [REGISTRY, other] {
        assert_eq!(helper.get(registry).token().identity, "role-prod-by-AKIDANN");
    }
    assert_eq!(aws.calls(Service::Sts), 1);
}

#[test]
fn a_profile_can_be_named() {
    let aws = FakeAws::start();
    let helper = ann(&aws).without("AWS_PROFILE");
    let login = login(&aws, &helper, &["login", "--profile", "prod"]);
    assert_eq!(login.code, Some(0), "{login:?}");
    assert_eq!(helper.env("AWS_PROFILE", "prod").get(REGISTRY).token().identity, "role-prod-by-AKIDANN");
}

#[test]
fn ctrl_c_at_the_question_ends_it_and_leaves_nothing() {
    // A shell's background job, and whatever it starts, ignores Ctrl-C; so does the binary then, as it should.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    if ignored.is_some_and(|ignored| ignored >> (rustix::process::Signal::INT.as_raw() - 1) & 1 == 1) {
        println!("not shown here: whoever runs this ignores Ctrl-C");
        return;
    }
    let aws = FakeAws::start();
    let helper = ann(&aws);
    let mut terminal = Terminal::start(&helper, &["login", REGISTRY], "");
    terminal.wait_for(PROMPT, 1);
    terminal.press("123\u{3}");
    let (login, _) = terminal.finish();
    assert_eq!((login.code, login.stdout.as_str()), (None, ""), "{login:?}");
    assert_eq!(aws.calls(Service::Sts), 0);
    helper.get(REGISTRY).failure();
}

#[test]
fn the_role_with_a_code_and_the_role_without_one_share_no_token() {
    let aws = FakeAws::start();
    let helper = ann(&aws);
    login(&aws, &helper, &["login", REGISTRY]);
    let calls = aws.calls(Service::Ecr);
    let helper = helper.aws_config(&CONFIG.replace("mfa_serial", "no_mfa_serial"));
    assert_eq!(helper.get(REGISTRY).token().identity, "role-prod-by-AKIDANN");
    assert_eq!(aws.calls(Service::Ecr), calls + 1);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&helper.cache()), 0o700);
}

#[test]
fn ecr_public_without_credentials_is_nothing_to_sign_in_to() {
    let helper = Helper::new();
    helper.write(".docker/config.json", "{\"credHelpers\":{\"public.ecr.aws\":\"ecr-login\"}}");
    let login = helper.run(["login"], "");
    assert!(login.code == Some(1) && login.line().contains("no registry is named"), "{login:?}");
}
