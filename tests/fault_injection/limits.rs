//! Little memory, few files, and inputs that are much too large.

use std::fs;
use std::process::Command;

use crate::assertions::keeps_to_the_protocol;
use crate::home::Home;
use crate::scenario::{RIGHT, Scenario};
use crate::support::cache::{entries, names};
use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Running, binary};

/// The address space that is enough for anything that the release build does, in bytes.
const MEMORY: &str = "--as=16777216";

/// What has to work, or to say why not, within every limit.
const SCENARIOS: [Scenario; 17] = [
    Scenario::ColdGet,
    Scenario::SsoRefresh,
    Scenario::Warm,
    Scenario::Password,
    Scenario::WarmGet,
    Scenario::ForeignGet,
    Scenario::Kubelet,
    Scenario::Erase,
    Scenario::Store,
    Scenario::List,
    Scenario::Status,
    Scenario::Clear,
    Scenario::Refresh,
    Scenario::SetupDocker,
    Scenario::UndoDocker,
    Scenario::SetupPodman,
    Scenario::SetupKubelet,
];

/// Whether the binary is the static release build. The tests' own build is mapped from a file of more than 100 MB, and
/// its loader opens libraries: limits say nothing about it.
fn is_release() -> bool {
    let is_static = !Command::new("ldd").arg(binary()).output().is_ok_and(|output| output.status.success());
    if !is_static {
        println!("skipped: not the release build, which ECR_LOGIN_BINARY names");
    }
    is_static
}

/// The helper under prlimit.
fn limited<S: AsRef<std::ffi::OsStr>>(
    helper: &Helper,
    limit: &str,
    arguments: impl IntoIterator<Item = S>,
    stdin: &str,
) -> Outcome {
    let mut command = Command::new(crate::support::on_our_path("prlimit"));
    let ours = helper.command(Vec::<String>::new());
    command.arg(limit).arg("--").arg(binary()).args(arguments).env_clear();
    command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command, stdin.as_bytes()).wait()
}

#[test]
fn sixteen_megabytes_are_enough_for_everything() {
    if !is_release() {
        return;
    }
    let aws = FakeAws::start();
    for scenario in SCENARIOS {
        let home = Home::before(&aws, scenario);
        scenario.is_done(&limited(&home.helper, MEMORY, home.arguments(scenario), &scenario.stdin()));
    }
}

#[test]
fn sixteen_megabytes_are_enough_for_a_role_over_tls_and_for_a_command_with_its_threads() {
    if !is_release() {
        return;
    }
    let aws = FakeAws::over_tls(crate::support::Certificate::Good);
    let role = "[profile base]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s\n\
         [default]\nrole_arn = arn:aws:iam::123456789012:role/pull\nsource_profile = base\nregion = eu-west-1\n";
    let helper = Helper::new().aws(&aws).aws_config(role);
    assert_eq!(limited(&helper, MEMORY, ["get"], REGISTRY).token().identity, "role-pull-by-AKIAEXAMPLE");
    let helper = Helper::new().aws(&aws);
    let command = helper
        .script("process", "echo '{\"Version\": 1, \"AccessKeyId\": \"AKIAPROCESS\", \"SecretAccessKey\": \"s\"}'");
    let helper = helper.aws_config(&format!("[default]\ncredential_process = {}\n", command.display()));
    assert_eq!(limited(&helper, MEMORY, ["get"], REGISTRY).token().key, "AKIAPROCESS");
}

/// A hostile input, and what a `get` says of it.
fn huge(prepare: impl Fn(&Home), scenario: Scenario, stdin: Option<String>, wanted: impl Fn(&Outcome, &Home)) {
    let aws = FakeAws::start();
    let home = Home::new(&aws);
    prepare(&home);
    let stdin = stdin.unwrap_or_else(|| scenario.stdin());
    let plain = home.helper.run(home.arguments(scenario), &stdin);
    wanted(&plain, &home);
    let home = Home::new(&aws);
    prepare(&home);
    if is_release() {
        wanted(&limited(&home.helper, MEMORY, home.arguments(scenario), &stdin), &home);
    }
}

#[test]
fn settings_of_ten_megabytes_are_refused_with_a_sentence() {
    let prepare = |home: &Home| {
        home.helper.write(".config/ecr-login/config.toml", "#".repeat(10 << 20));
    };
    huge(prepare, Scenario::ColdGet, None, |outcome, _| {
        assert!(outcome.failure().contains("config.toml") && outcome.failure().contains("1 MiB"), "{outcome:?}");
    });
    huge(prepare, Scenario::SetupDocker, None, |outcome, _| {
        assert!(outcome.code == Some(1) && outcome.line().contains("1 MiB"), "{outcome:?}");
    });
}

#[test]
fn an_aws_config_of_a_hundred_megabytes_is_refused_with_a_sentence() {
    for name in [".aws/config", ".aws/credentials"] {
        let prepare = |home: &Home| {
            home.helper.write(name, "");
            fs::File::options().write(true).open(home.helper.home().join(name)).unwrap().set_len(100 << 20).unwrap();
        };
        huge(prepare, Scenario::ColdGet, None, |outcome, _| {
            assert!(outcome.failure().contains(name) && outcome.failure().contains("1 MiB"), "{outcome:?}");
        });
    }
}

#[test]
fn a_cache_entry_of_a_gigabyte_is_a_miss_and_is_replaced() {
    let prepare = |home: &Home| {
        home.do_it(Scenario::ColdGet);
        let cache = home.helper.cache();
        let name = names(&cache).into_iter().find(|name| name.ends_with(".com")).unwrap();
        fs::File::options().write(true).open(cache.join(name)).unwrap().set_len(1 << 30).unwrap();
    };
    huge(prepare, Scenario::ColdGet, None, |outcome, home| {
        assert_eq!(outcome.token().key, RIGHT);
        assert_eq!(entries(&home.helper).len(), 1);
    });
    // What was once served stays on the list.
    huge(prepare, Scenario::List, None, |outcome, _| {
        assert_eq!(outcome.stdout, format!("{{\"{REGISTRY}\":\"AWS\",\"public.ecr.aws\":\"AWS\"}}\n"));
    });
    huge(prepare, Scenario::Status, None, |outcome, _| assert_eq!(outcome.code, Some(0)));
    huge(prepare, Scenario::Clear, None, |outcome, _| assert_eq!(outcome.code, Some(0)));
}

#[test]
fn a_kubelets_request_of_ten_megabytes_is_refused_with_a_sentence() {
    let request = Scenario::Kubelet.stdin().replace("app:1", &"a".repeat(10 << 20));
    huge(
        |_| (),
        Scenario::Kubelet,
        Some(request),
        |outcome, _| {
            assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
            assert!(outcome.line().contains("more than 1048576 bytes came on stdin"), "{outcome:?}");
        },
    );
}

#[test]
fn a_docker_file_of_a_hundred_megabytes_is_left_alone_with_a_sentence() {
    let prepare = |home: &Home| {
        let path = home.helper.home().join(".docker/config.json");
        fs::File::options().write(true).open(path).unwrap().set_len(100 << 20).unwrap();
    };
    huge(prepare, Scenario::SetupDocker, None, |outcome, _| {
        assert!(outcome.code == Some(1) && outcome.line().contains("bigger than any configuration"), "{outcome:?}");
    });
}

#[test]
fn however_few_files_may_be_open_there_is_an_answer_or_a_reason() {
    let aws = FakeAws::start();
    // The loader of the tests' own build needs more than 3, and with two numbers from 8 on a part of tokio that only the
    // tests' build has in it cannot start; which two depends on the files that whoever runs the tests left open.
    let numbers: Vec<u32> =
        if is_release() { (3..=16).collect() } else { (5..=16).filter(|number| !(8..=12).contains(number)).collect() };
    for scenario in SCENARIOS {
        for number in &numbers {
            let home = Home::before(&aws, scenario);
            let before = home.files();
            let outcome = limited(
                &home.helper,
                &format!("--nofile={number}:{number}"),
                home.arguments(scenario),
                &scenario.stdin(),
            );
            let what = format!("{scenario:?} with {number} files");
            keeps_to_the_protocol(&home, scenario, &outcome, "", false, &what);
            if scenario.is_setup() && outcome.code != Some(0) {
                assert_eq!(home.files(), before, "{what}");
            }
            home.forget_failures();
            home.do_it_again(&aws, scenario, &what);
        }
    }
}

#[test]
fn warm_needs_no_second_thread() {
    const OTHER: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIANODE");
    let get = helper.command(["warm", REGISTRY, OTHER]);
    // The limit holds for users other than root; they must be able to reach the binary.
    let limited = |arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new(crate::support::on_our_path("setpriv"));
        command.args(["--reuid", "12345", "--clear-groups"]).arg(crate::support::on_our_path("prlimit"));
        command.arg("--nproc=1").args(arguments);
        command.env_clear().envs(get.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("AWS_ECR_DISABLE_CACHE", "1").env_remove("AWS_CA_BUNDLE");
        command
    };
    let program = get.get_program();
    if !limited(&[crate::support::on_our_path("test").as_os_str(), "-x".as_ref(), program])
        .status()
        .is_ok_and(|status| status.success())
    {
        println!("skipped: cannot run the binary as another user");
        return;
    }
    let outcome = limited(&[program, "warm".as_ref(), REGISTRY.as_ref(), OTHER.as_ref()]).output().unwrap();
    let stderr = String::from_utf8(outcome.stderr).unwrap();
    assert_eq!(outcome.status.code(), Some(1), "{stderr}");
    assert_eq!((stderr.lines().count(), stderr.matches("not kept").count()), (2, 2), "{stderr}");
}
