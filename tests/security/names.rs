//! Names made to reach another host or another file. Each is run under strace with every socket refused: whoever is taken
//! in shows it by asking for one.

use ecr_login::registry::{host_of, near_miss};
use std::path::Path;

use crate::support::strace;
use crate::support::{Helper, NOT_FOUND, Running};

const ECR: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com";

/// Hosts that are not ECR's, and look like it to one who looks badly.
fn hostile() -> Vec<String> {
    let mut names: Vec<String> = [
        "169.254.169.254",
        "169.254.169.254/latest/meta-data",
        "[fd00:ec2::254]",
        "[::1]:80",
        "2852039166",
        "0xa9fea9fe",
        "localhost",
        "metadata.google.internal",
        "evil.org",
        "evil.org#ECR",
        "evil.org?ECR",
        "evil.org/ECR",
        "evil.org\\ECR",
        "evil.org:443@ECR",
        "evil.org@ECR",
        "ECR@evil.org",
        "ECR:443@evil.org",
        "ECR:x@evil.org/",
        "https://user:password@ECR",
        "https://ECR@evil.org/",
        "https://ECR:443@evil.org",
        "ECR.evil.org",
        "ECR.",
        ".ECR",
        "ECR..",
        "evil.org.ECR",
        "evil-ECR",
        "xECR",
        "ECRx",
        "ECR%2eevil.org",
        "ECR%00.evil.org",
        "ECR%0a",
        "ECR#.evil.org",
        "ECR?.evil.org",
        "ECR\\.evil.org",
        "ECR:0443x",
        "ECR:",
        "ECR:-1",
        "ECR:123456",
        "ECR:443:443",
        "ECR,evil.org",
        "ECR;evil.org",
        "ECR evil.org",
        "ECR\tevil.org",
        "ftp://ECR",
        "file://ECR/etc/passwd",
        "http:/ECR",
        "https:ECR",
        "https:///ECR",
        "https://https://ECR",
        "//ECR",
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "~",
        "$HOME",
        "$(touch x)",
        "`touch x`",
        "-get",
        "--help",
        "123456789012.dkr.ecr.us-east-1.evil.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.evil.org",
        "123456789012.dkr.ecr.evil.org/.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1/../evil.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1@evil.amazonaws.com",
        "123456789012.dkr.ecr...amazonaws.com",
        "123456789012.dkr.ecr..amazonaws.com",
        "123456789012.dkr.ecr.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1-.amazonaws.com",
        "123456789012.dkr.ecr.-us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us_east_1.amazonaws.com",
        "123456789012.dkr.ecr.xn--us-east-1-.amazonaws.com",
        "123456789012.dkr.ecr-evil.us-east-1.amazonaws.com",
        "123456789012.dkr.evil.us-east-1.amazonaws.com",
        "12345678901.dkr.ecr.us-east-1.amazonaws.com",
        "1234567890123.dkr.ecr.us-east-1.amazonaws.com",
        "+23456789012.dkr.ecr.us-east-1.amazonaws.com",
        "１23456789012.dkr.ecr.us-east-1.amazonaws.com",
        "123456789012.dkr.еcr.us-east-1.amazonaws.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws。com",
        "123456789012.dkr.ecr.us-east-1.аmazonaws.com",
        "123456789012.dkr.ecr.us-east-1.xn--mazonaws-43f.com",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com\u{200b}",
        "\u{202e}moc.swanozama.1-tsae-su.rce.rkd.210987654321",
        "123456789012.dkr.ecr.us-east-1.ama\u{ad}zonaws.com",
        "public.ecr.aws.evil.org",
        "evil.public.ecr.aws",
        "public-ecr.aws",
        "public.ecr.aws.",
        "public.ecr.aws@evil.org",
        "xn--pblic-3qa.ecr.aws",
    ]
    .iter()
    .map(|name| name.replace("ECR", ECR))
    .collect();
    names.push(format!("{ECR}\nevil.org"));
    names.push(format!("evil.org\n{ECR}"));
    names.push(format!("evil.org\r\n{ECR}"));
    names.push(format!("{ECR}{}", ".a".repeat(3_000)));
    names.push(format!("{}.{ECR}", "a".repeat(3_000)));
    names.push(format!("{}{ECR}", "https://".repeat(400)));
    names
}

/// Runs it under strace with every socket refused, and asserts that none was asked for and nothing was made or written
/// but on the standard streams.
fn harmless(helper: &Helper, name: &str, arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let trace = helper.home().join("trace");
    let (refused, traced) = ("inject=%network:error=EACCES", "trace=%network,%file,execve");
    let options = ["-f", "-o", trace.to_str().unwrap(), "-e", "signal=none", "-e", traced, "-e", refused];
    let command = strace::command(helper, &options, arguments);
    let run = Running::start(command, input).wait();
    let calls = std::fs::read_to_string(&trace).unwrap();
    assert!(calls.contains("execve("), "{calls}");
    let programs = calls.lines().filter(|line| line.contains("execve(")).count();
    assert_eq!(programs, 1, "{name:?} {arguments:?}: another program: {calls}");
    for line in calls.lines() {
        let network = ["socket(", "connect(", "sendto(", "sendmsg(", "bind("];
        assert!(!network.iter().any(|call| line.contains(call)), "{name:?} {arguments:?}: {line}");
        let changes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "mkdir", "unlink", "rename", "link(", "chmod"];
        // A static binary's start asks where it is itself.
        let harmless = ["\"/dev/null\"", "readlink(\"/proc/self/exe\""].iter().any(|call| line.contains(call));
        assert!(harmless || !changes.iter().any(|call| line.contains(call)), "{name:?} {arguments:?}: {line}");
    }
    std::fs::remove_file(trace).unwrap();
    assert!(!run.stderr.chars().any(|c| c != '\n' && c.is_control()), "{name:?} {arguments:?}: {run:?}");
    (run.code, run.stdout, run.stderr)
}

/// Keys are there, so that whoever took a name for ECR's would ask.
fn helper() -> Helper {
    Helper::new().keys("AKIAEXAMPLE")
}

#[test]
fn a_docker_client_gets_not_found_at_once_and_no_request_is_sent() {
    if !strace::has_strace() {
        return;
    }
    let helper = helper();
    for name in hostile() {
        let (code, stdout, stderr) = harmless(&helper, &name, &["get"], name.as_bytes());
        assert_eq!((code, stdout.as_str()), (Some(1), NOT_FOUND), "{name:?}");
        // A mistyped name in AWS's own domains has its line; every other name is somebody else's registry.
        if host_of(&name).and_then(|host| near_miss(&host)).is_some() {
            assert!(stderr.lines().count() == 1 && stderr.contains("is not a registry"), "{name:?}: {stderr}");
        } else {
            assert_eq!(stderr, "", "{name:?}");
        }
        assert_eq!(harmless(&helper, &name, &["erase"], name.as_bytes()).0, Some(0), "{name:?}");
        let login = serde_json::json!({ "ServerURL": name, "Username": "AWS", "Secret": "MARKED-PASSWORD" });
        let (code, stdout, stderr) = harmless(&helper, &name, &["store"], login.to_string().as_bytes());
        assert_eq!(code, Some(1), "{name:?}");
        assert!(!stdout.contains("MARKED") && !stderr.contains("MARKED"), "{name:?}");
        assert_eq!((stdout.lines().count(), stderr.lines().count()), (1, 1), "{name:?}: {stdout} {stderr}");
    }
}

#[test]
fn nul_and_other_bytes_that_no_name_has_are_no_name() {
    if !strace::has_strace() {
        return;
    }
    let helper = helper();
    for bytes in [&b"\0"[..], b"a\0b", b"\xff\xfe", b"\xc0\xae\xc0\xae/", b"\x1b[2J", b"\xef\xbb\xbf"] {
        for bytes in [bytes.to_vec(), [ECR.as_bytes(), bytes].concat(), [bytes, ECR.as_bytes()].concat()] {
            let name = String::from_utf8_lossy(&bytes).into_owned();
            let (code, stdout, stderr) = harmless(&helper, &name, &["get"], &bytes);
            assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), NOT_FOUND, ""), "{name:?}");
        }
    }
}

#[test]
fn the_kubelet_gets_an_answer_without_credentials() {
    if !strace::has_strace() {
        return;
    }
    let helper = helper().named("ecr-credential-provider");
    for name in hostile() {
        if name.starts_with(&format!("{ECR}:")) && !name.contains('@') && name[ECR.len() + 1..].len() != 3 {
            // What follows the colon is a tag here, and the registry is ECR's.
            continue;
        }
        for image in [format!("{name}/app:latest"), format!("{name}/../{ECR}/app")] {
            let request = serde_json::json!({
                "kind": "CredentialProviderRequest",
                "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
                "image": image,
            });
            let (code, stdout, stderr) = harmless(&helper, &name, &["kubelet"], request.to_string().as_bytes());
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{image:?}: {stdout}");
            let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
            assert_eq!(answer["auth"], serde_json::json!({}), "{image:?}");
        }
    }
}

#[test]
fn one_line_says_that_it_is_no_registry() {
    if !strace::has_strace() {
        return;
    }
    let helper = helper();
    for name in hostile().iter().filter(|name| !name.starts_with('-')) {
        for command in ["password", "warm"] {
            let (code, stdout, stderr) = harmless(&helper, name, &[command, name], b"");
            assert_eq!((code, stdout.as_str()), (Some(1), ""), "{command} {name:?}");
            assert!(stderr.contains("is not a registry of Amazon ECR"), "{command} {name:?}: {stderr}");
            assert_eq!(stderr.lines().count(), 1, "{command} {name:?}: {stderr}");
        }
    }
}

/// An alias is the one way in which another name gets a token: it is written in the user's own settings, letter for
/// letter, and leads to a registry of ECR.
#[test]
fn only_the_very_name_in_the_settings_is_an_alias() {
    let aws = crate::support::FakeAws::start();
    let alias = |name: &str, target: &str| format!("[[registry]]\nmatch = \"{name}\"\nalias_of = \"{target}\"\n");
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").settings(&alias("images.example.com", ECR));
    for name in [
        "x.images.example.com",
        "images.example.com.evil.org",
        "images.example.com.",
        "images.example.com@evil.org",
        "imagesXexample.com",
        "images.example.co",
    ] {
        helper.get(name).assert_not_found();
    }
    assert!(aws.all_calls().is_empty());
    helper.get("images.example.com").token();
    for (name, target) in [
        ("*.example.com", ECR),
        ("*", ECR),
        ("images.example.com", "evil.org"),
        ("images.example.com", "169.254.169.254"),
        ("images.example.com", &format!("{ECR}.evil.org")),
        ("images.example.com", &format!("{ECR}@evil.org")),
        ("images.example.com", "123456789012.dkr.ecr.us-east-1.evil"),
    ] {
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE").settings(&alias(name, target));
        let outcome = helper.get(ECR);
        assert!(outcome.failure().contains("config.toml:"), "{name} {target}: {outcome:?}");
    }
    assert!(!Path::new("x").exists());
}
