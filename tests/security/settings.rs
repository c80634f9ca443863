//! A settings file that somebody else could have written, or could put another in the place of.

use std::path::Path;
use std::process::Command;

use crate::support::{NOT_FOUND, Service};
use crate::users::{ATTACKER, Ground, VICTIM, belongs, can_switch, link};

/// Would make the victim pull as somebody else.
const POISON: &str =
    "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nrole_arn = \"arn:aws:iam::666666666666:role/x\"\n";

/// The victim's `get` says this of the file, and asks nobody.
fn refused(ground: &Ground, variables: &[(&str, &Path)], file: &Path, why: &str) {
    let get = ground.get(variables);
    let line = get.failure();
    assert!(line.contains(&format!("the settings file {} is not trusted", file.display())), "{why}: {line}");
    assert!(line.contains(why), "{why}: {line}");
    assert!(ground.aws.all_calls().is_empty(), "{why}: nobody is asked");
}

#[test]
fn a_file_that_another_user_owns_or_may_write_is_refused_by_name() {
    if !can_switch("a settings file of another user") {
        return;
    }
    for (owner, mode, why) in [
        (ATTACKER, 0o644, "it belongs to uid 65534, we are uid 54321"),
        (ATTACKER, 0o600 | 0o044, "it belongs to uid 65534"),
        (VICTIM, 0o666, "others may write it (mode 0666)"),
        (VICTIM, 0o664, "others may write it (mode 0664)"),
        (0, 0o646, "others may write it (mode 0646)"),
    ] {
        let ground = Ground::new();
        let tmp = ground.directory("tmp", 0, 0o1777);
        let file = ground.file("tmp/config.toml", POISON, owner, mode);
        refused(&ground, &[("ECR_LOGIN_CONFIG", &file)], &file, why);
        // The same behind a link of the victim's own.
        let own = ground.home().join("config.toml");
        link(&file, &own, VICTIM);
        refused(&ground, &[("ECR_LOGIN_CONFIG", &own)], &own, why);
        // And where the configuration directory is said to be the attacker's.
        let his = ground.directory("his", ATTACKER, 0o755);
        ground.directory("his/ecr-login", ATTACKER, 0o755);
        let file = ground.file("his/ecr-login/config.toml", POISON, owner, mode);
        refused(&ground, &[("XDG_CONFIG_HOME", &his)], &file, why);
        drop(tmp);
    }
}

#[test]
fn a_file_in_a_directory_where_others_may_put_another_is_refused_by_name() {
    if !can_switch("a settings file in a directory that others may write") {
        return;
    }
    for (owner, mode, why) in [
        (VICTIM, 0o777, "others may write its directory (mode 0777)"),
        (VICTIM, 0o775, "others may write its directory (mode 0775)"),
        (ATTACKER, 0o755, "its directory belongs to uid 65534, we are uid 54321"),
        (ATTACKER, 0o1777, "its directory belongs to uid 65534"),
    ] {
        let ground = Ground::new();
        let place = ground.directory("place", owner, mode);
        let file = ground.file("place/config.toml", POISON, VICTIM, 0o644);
        refused(&ground, &[("ECR_LOGIN_CONFIG", &file)], &file, why);
        // A foreign name goes its way, with the reason.
        let script = "echo ghcr.io | \"$HELPER\" get";
        let foreign = ground.run(script, &[("ECR_LOGIN_CONFIG", &file)]);
        assert_eq!((foreign.code, foreign.stdout.as_str()), (Some(1), NOT_FOUND), "{foreign:?}");
        drop(place);
    }
}

#[test]
fn in_tmp_and_on_a_volume_without_writers_a_file_of_ones_own_is_used() {
    if !can_switch("a settings file in /tmp") {
        return;
    }
    let ground = Ground::new();
    let tmp = ground.directory("tmp", 0, 0o1777);
    let settings = "[[registry]]\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nanonymous = true\n";
    let file = ground.file("tmp/config.toml", settings, VICTIM, 0o644);
    ground.get(&[("ECR_LOGIN_CONFIG", &file)]).assert_not_found();
    // As Kubernetes mounts a ConfigMap: mode 0777, root's, and read-only.
    belongs(&tmp, 0, 0o777);
    let mounted = ground.directory("mounted", 0, 0o755);
    let get = "exec setpriv --reuid 54321 --regid 54321 --clear-groups \"$HELPER\" get";
    let script = format!("mount --bind tmp mounted && mount -o remount,ro,bind mounted && {get}");
    let file = mounted.join("config.toml");
    let mut command = ground.command(0, &script, &[("ECR_LOGIN_CONFIG", &file)]);
    let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    let environment: Vec<_> = command.get_envs().filter_map(|(k, v)| Some((k.to_owned(), v?.to_owned()))).collect();
    if !Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: a read-only volume: no mount namespace to be had");
        return;
    }
    command = Command::new(crate::support::on_our_path("unshare"));
    command.args(["-m", "setpriv"]).args(arguments).env_clear().envs(environment).current_dir(ground.path("."));
    use std::process::Stdio;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    crate::support::Running::start(command, crate::support::REGISTRY.as_bytes()).wait().assert_not_found();
    assert!(ground.aws.all_calls().is_empty());
}

#[test]
fn what_is_no_file_in_its_place_blocks_no_call() {
    if !can_switch("a pipe in the place of the settings file") {
        return;
    }
    let ground = Ground::new();
    let tmp = ground.directory("tmp", 0, 0o1777);
    let pipe = tmp.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    belongs(&pipe, ATTACKER, 0o666);
    let huge = ground.file("tmp/huge", "", ATTACKER, 0o644);
    std::fs::OpenOptions::new().write(true).open(&huge).unwrap().set_len(1 << 40).unwrap();
    for file in [pipe, huge, Path::new("/dev/zero").to_owned(), tmp.clone()] {
        let get = ground.get(&[("ECR_LOGIN_CONFIG", &file)]);
        assert!(get.failure().contains("cannot be read"), "{}: {get:?}", file.display());
    }
    assert!(ground.aws.all_calls().is_empty());
}

/// As AWS's own tools do: a shared file that an administrator owns is ordinary. docs/security.md says so.
#[test]
fn files_of_aws_are_read_whoever_owns_them() {
    if !can_switch("AWS's files of another user") {
        return;
    }
    let ground = Ground::new();
    let keys = "[other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other\n";
    let file = ground.file("credentials", keys, ATTACKER, 0o644);
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", file.as_path()), ("AWS_PROFILE", Path::new("other"))];
    let script = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY; exec \"$HELPER\" get";
    assert_eq!(ground.run(script, &variables).token().key, "AKIAOTHER");
    assert_eq!(ground.aws.calls(Service::Ecr), 1);
}
