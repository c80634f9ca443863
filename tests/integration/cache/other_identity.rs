//! A token in the cache is served to the identity that fetched it, and to no other, whatever it is that has changed.

use std::ffi::OsStr;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{FakeAws, Helper, Outcome, REGISTRY, Running, Service, jwt};

/// `get` in another working directory, with these variables beside the helper's.
fn get_in(helper: &Helper, directory: &Path, variables: &[(&str, &OsStr)]) -> Outcome {
    let mut command = helper.command(["get"]);
    command.current_dir(directory).envs(variables.iter().copied());
    Running::start(command, REGISTRY.as_bytes()).wait()
}

/// A line of a script that prints this key.
fn print(key: &str) -> String {
    format!(r#"echo '{{"Version":1,"AccessKeyId":"'{key}'","SecretAccessKey":"s"}}'"#)
}

/// As `aws configure export-credentials --profile dev` does: the keys of that profile in the file that AWS's tools read.
const EXPORT: &str = r#"while IFS=' =' read -r name value; do
  case $name in '[profile') section=$value ;; access_key) [ "$section" != 'dev]' ] || key=$value ;; esac
done <"${AWS_CONFIG_FILE:-$HOME/.aws/config}""#;

fn exported(helper: &Helper) -> String {
    let script = helper.script("bin/export", &format!("{EXPORT}\n{}", print("\"$key\"")));
    format!("[profile tools]\ncredential_process = {} --profile dev\n", script.display())
}

#[test]
fn an_edit_of_the_profile_that_a_command_names_is_seen_at_once() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let config = exported(&helper);
    for key in ["AKIDANA", "AKIDBOB", "AKIDANA"] {
        helper.write(".aws/config", format!("{config}[profile dev]\naccess_key = {key}\n"));
        assert_eq!(helper.get(REGISTRY).token().key, key);
    }
    assert_eq!(aws.calls(Service::Ecr), 2, "the first one's token is there still");
}

#[test]
fn an_edit_of_the_credentials_file_is_seen_by_a_command_that_reads_it() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let script = format!("while read -r word; do key=$word; done <$HOME/.aws/credentials\n{}", print("\"${key#*= }\""));
    let script = helper.script("bin/creds", &script);
    let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {}\n", script.display()));
    for key in ["AKIDANA", "AKIDBOB"] {
        helper.write(".aws/credentials", format!("[other]\naws_access_key_id = {key}\n"));
        assert_eq!(helper.get(REGISTRY).token().key, key);
    }
}

#[test]
fn the_same_relative_config_file_in_two_folders_is_two_identities() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools").env("AWS_CONFIG_FILE", "aws-config");
    let config = exported(&helper);
    for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB")] {
        helper.write(&format!("{folder}/aws-config"), format!("{config}[profile dev]\naccess_key = {key}\n"));
    }
    for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB"), ("ana", "AKIDANA")] {
        assert_eq!(get_in(&helper, &helper.home().join(folder), &[]).token().key, key);
    }
    assert_eq!(aws.calls(Service::Ecr), 2);
}

/// The same words in two folders: what they lead to differs.
#[test]
fn a_command_that_is_named_relatively_is_another_in_another_folder() {
    for line in [
        "./creds",
        "sub/../creds",
        "/bin/sh ./creds",
        "/bin/sh creds",
        "/bin/sh -c ./creds",
        "/bin/sh creds.sh --file=who",
    ] {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
        let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {line}\n"));
        for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB")] {
            helper.script(&format!("{folder}/creds"), &print(key));
            helper.script(&format!("{folder}/creds.sh"), &print(key));
            helper.write(&format!("{folder}/sub/file"), "");
        }
        for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB"), ("ana", "AKIDANA")] {
            assert_eq!(get_in(&helper, &helper.home().join(folder), &[]).token().key, key, "{line}");
        }
        assert_eq!(aws.calls(Service::Ecr), 2, "{line}");
    }
}

/// What another profile of the file runs or reads may be relative too, and a command may lead there.
#[test]
fn a_profile_that_names_something_relative_makes_the_folder_count() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let script = helper.script("bin/nested", "exec ./creds");
    for nested in ["credential_process = ./creds", "web_identity_token_file = token"] {
        let config =
            format!("[profile tools]\ncredential_process = {} dev\n[profile dev]\n{nested}\n", script.display());
        helper.write(".aws/config", config);
        for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB")] {
            helper.script(&format!("{folder}/creds"), &print(key));
            assert_eq!(get_in(&helper, &helper.home().join(folder), &[]).token().key, key, "{nested}");
        }
    }
}

#[test]
fn a_command_that_is_found_on_path_is_another_on_another_path() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let helper = helper.aws_config("[profile tools]\ncredential_process = creds --user x\n");
    for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB")] {
        helper.script(&format!("{folder}/creds"), &print(key));
        // In the way, and no program.
        helper.write(&format!("before-{folder}/creds"), "");
    }
    let home = helper.home().display();
    for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB"), ("ana", "AKIDANA")] {
        let path = format!("{home}/none:{home}/before-{folder}:{home}/{folder}:/usr/bin:/bin");
        assert_eq!(get_in(&helper, helper.home(), &[("PATH", OsStr::new(&path))]).token().key, key);
    }
    assert_eq!(aws.calls(Service::Ecr), 2);
    // A folder of PATH that is relative, which an empty one is too.
    for path in [":/usr/bin:/bin", "sub:/usr/bin:/bin"] {
        for (folder, key) in [("ana", "AKIDANA"), ("bob", "AKIDBOB")] {
            helper.script(&format!("{folder}/sub/creds"), &print(key));
            let directory = helper.home().join(folder);
            assert_eq!(get_in(&helper, &directory, &[("PATH", OsStr::new(path))]).token().key, key, "{path}");
        }
    }
}

#[test]
fn a_program_that_was_replaced_or_edited_is_another() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let program = helper.script("creds", &print("AKIDANA"));
    let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {}\n", program.display()));
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDANA");
    // In its place, with the same size and the same time of modification.
    let modified = std::fs::metadata(&program).unwrap().modified().unwrap();
    let text = std::fs::read_to_string(&program).unwrap().replace("AKIDANA", "AKIDBOB");
    std::fs::write(&program, &text).unwrap();
    std::fs::File::options().write(true).open(&program).unwrap().set_modified(modified).unwrap();
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDBOB");
    // Another file under its name.
    helper.script("new", &print("AKIDEVE"));
    std::fs::rename(helper.home().join("new"), &program).unwrap();
    assert_eq!(helper.get(REGISTRY).token().key, "AKIDEVE");
    // A link that leads elsewhere by now.
    let link = helper.home().join("link");
    let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {}\n", link.display()));
    for key in ["AKIDONE", "AKIDTWO"] {
        let script = helper.script(key, &print(key));
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(script, &link).unwrap();
        assert_eq!(helper.get(REGISTRY).token().key, key);
    }
}

/// The script of an interpreter, a certificate: files that the command line names, in every way in which options do.
#[test]
fn a_file_that_the_command_line_names_is_another_once_it_is_changed() {
    for words in ["FILE", "--file=FILE", "--file FILE", "-fFILE", "@FILE", "--file=@FILE", "-c 'exec FILE'"] {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
        // Runs what the last of its words names.
        let program = helper.script("read", "for word; do :; done; exec /bin/sh \"/${word#*/}\"");
        let file = helper.home().join("creds");
        let line = format!("{} {}", program.display(), words.replace("FILE", file.to_str().unwrap()));
        let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {line}\n"));
        for key in ["AKIDANA", "AKIDBOB"] {
            std::fs::write(&file, print(key)).unwrap();
            assert_eq!(helper.get(REGISTRY).token().key, key, "{words}");
        }
        assert_eq!(helper.get(REGISTRY).token().key, "AKIDBOB");
        assert_eq!(aws.calls(Service::Ecr), 2, "{words}");
    }
}

/// A script that names a file without a folder, in a folder that was made anew under its old path.
#[test]
fn a_folder_that_was_made_anew_holds_another_command() {
    for line in ["/bin/sh creds", "/bin/sh -c '/bin/sh creds'", "./creds"] {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
        let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {line}\n"));
        for key in ["AKIDANA", "AKIDBOB"] {
            let _ = std::fs::remove_dir_all(helper.home().join("project"));
            helper.script("project/creds", &print(key));
            assert_eq!(get_in(&helper, &helper.home().join("project"), &[]).token().key, key, "{line}");
        }
    }
}

#[test]
fn a_variable_that_the_command_line_names_counts() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let script = helper.script("creds", &print("\"$1\""));
    let line = format!("/bin/sh -c '{} $WHO_PULLS'", script.display());
    let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {line}\n"));
    for key in ["AKIDANA", "AKIDBOB", "AKIDANA"] {
        let outcome = get_in(&helper, helper.home(), &[("WHO_PULLS", OsStr::new(key))]);
        assert_eq!(outcome.token().key, key);
    }
    assert_eq!(aws.calls(Service::Ecr), 2);
}

/// What does not change who it is does not cost anything: one run of the command, one call of ECR.
#[test]
fn a_command_named_in_full_is_one_identity_in_every_folder_and_terminal() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_PROFILE", "tools");
    let script = helper.script("bin/creds", &format!("echo run >>$HOME/runs\n{}", print("AKIDANA")));
    let line = format!(
        "{} --profile dev --role-arn arn:aws:iam::123456789012:role/x --url https://x.example/a",
        script.display()
    );
    let helper = helper.aws_config(&format!("[profile tools]\ncredential_process = {line}\n"));
    for (folder, name, value) in
        [("ana", "TERM", "xterm"), ("bob", "SHLVL", "3"), ("eve", "DOCKER_CLI_PLUGIN_SOCKET", "@docker_cli_1")]
    {
        helper.write(&format!("{folder}/file"), "");
        let outcome = get_in(&helper, &helper.home().join(folder), &[(name, OsStr::new(value))]);
        assert_eq!(outcome.token().key, "AKIDANA");
    }
    assert_eq!(std::fs::read_to_string(helper.home().join("runs")).unwrap().lines().count(), 1);
    assert_eq!(aws.calls(Service::Ecr), 1);
}

/// A job of GitHub Actions, with the claims that its tokens have.
/// <https://docs.github.com/en/actions/reference/security/oidc>
fn github() -> Value {
    json!({
        "iss": "https://token.actions.githubusercontent.com", "aud": "sts.amazonaws.com",
        "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
        "exp": 4_102_444_800_u64, "nbf": 1, "iat": 1, "jti": "one",
        "actor": "octocat", "actor_id": "12", "environment": "staging", "enterprise_id": "5",
        "job_workflow_ref": "octo-org/octo-repo/.github/workflows/test.yml@refs/heads/main",
        "ref": "refs/heads/main", "repository": "octo-org/octo-repo", "repository_id": "74",
        "repository_owner_id": "65", "workflow": "test", "runner_environment": "github-hosted",
        "run_attempt": 2, "repository_visibility": "private",
    })
}

/// How often STS is asked for jobs with these tokens, one after the other, that share a cache and a role.
fn asked(tokens: &[Value]) -> usize {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci");
    let helper = helper.env("AWS_WEB_IDENTITY_TOKEN_FILE", "token");
    for token in tokens {
        helper.write("token", jwt(token));
        helper.get(REGISTRY).token();
    }
    aws.calls(Service::Sts)
}

/// Trust policies may test them: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>
#[test]
fn a_job_gets_no_token_of_another_job_that_its_role_s_trust_policy_tells_apart() {
    let claims = github();
    let mut tried = 0;
    for (name, value) in claims.as_object().unwrap() {
        if ["exp", "nbf", "iat", "jti"].contains(&name.as_str()) {
            continue;
        }
        let mut other = claims.clone();
        other[name] = match value {
            Value::Number(_) => json!(3),
            _ => json!(format!("{}x", value.as_str().unwrap())),
        };
        assert_eq!(asked(&[claims.clone(), other.clone()]), 2, "{name}");
        other.as_object_mut().unwrap().remove(name);
        if !["iss", "aud", "sub"].contains(&name.as_str()) {
            assert_eq!(asked(&[claims.clone(), other]), 2, "{name} is missing");
        }
        tried += 2;
    }
    assert!(tried > 20);
    let mut more = claims.clone();
    more["google"] = json!({ "organization_number": 1 });
    let mut another = claims.clone();
    another["google"] = json!({ "organization_number": 2 });
    assert_eq!(asked(&[claims, more, another]), 3, "a claim that nobody knows yet");
}

#[test]
fn the_next_token_of_the_same_job_is_served_from_the_cache() {
    let claims = github();
    let mut renewed = claims.clone();
    for (name, value) in
        [("exp", json!(4_102_444_900_u64)), ("nbf", json!(7)), ("iat", json!(7)), ("jti", json!("two"))]
    {
        renewed[name] = value;
    }
    assert_eq!(asked(&[claims, renewed]), 1);
}

fn service_account(pod: &str) -> Value {
    json!({
        "iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/A", "aud": ["sts.amazonaws.com"],
        "sub": "system:serviceaccount:ns:puller",
        "exp": 4_102_444_800_u64, "nbf": 1, "iat": 1, "jti": pod,
        "kubernetes.io": {
            "namespace": "ns", "pod": { "name": pod, "uid": format!("uid-of-{pod}") },
            "node": { "name": "node-1", "uid": "u" },
            "serviceaccount": { "name": "puller", "uid": "account" }, "warnafter": 7,
        },
    })
}

#[test]
fn a_pod_s_successor_is_served_from_the_cache_and_another_service_account_is_not() {
    let mut moved = service_account("second");
    moved["kubernetes.io"]["node"]["name"] = json!("node-2");
    moved["kubernetes.io"]["warnafter"] = json!(8);
    assert_eq!(asked(&[service_account("first"), moved]), 1);
    let mut made_again = service_account("first");
    made_again["kubernetes.io"]["serviceaccount"]["uid"] = json!("another");
    assert_eq!(asked(&[service_account("first"), made_again]), 2);
    // Only Kubernetes' own tokens name pods: elsewhere the same words are claims like any other.
    let elsewhere = |pod: &str| {
        let mut claims = service_account(pod);
        claims["sub"] = json!("repo:octo-org/octo-repo");
        claims
    };
    assert_eq!(asked(&[elsewhere("first"), elsewhere("second")]), 2);
}

/// EKS Pod Identity makes session tags of the pod's name and UID, which policies may test:
/// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html>
#[test]
fn a_pod_identity_of_another_pod_is_another_identity() {
    let aws = FakeAws::start();
    let helper =
        Helper::new().aws(&aws).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v1/credentials", aws.url()));
    let helper = helper.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "token");
    for pod in ["first", "second", "first"] {
        let token = jwt(&service_account(pod));
        helper.write("token", &token);
        aws.container_authorization(&token);
        helper.get(REGISTRY).token();
    }
    assert_eq!(aws.calls(Service::Container), 2);
}
