//! Whatever is on the disk, the token is delivered; what others could have written is not read.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::cache::{HOUR, age, cache, entries, is_root, names};
use crate::support::{FakeAws, Fault, Helper, Outcome, REGISTRY, Running, Service, binary};

fn with_entry() -> (FakeAws, Helper, PathBuf) {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    helper.get(REGISTRY).token();
    let entry = entry_of(&helper);
    (aws, helper, entry)
}

fn entry_of(helper: &Helper) -> PathBuf {
    let suffix = format!("-{REGISTRY}");
    let names = names(&helper.cache());
    helper.cache().join(names.iter().find(|name| name.ends_with(&suffix)).expect("an entry"))
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

fn no_temporary_file(helper: &Helper) {
    assert!(!names(&helper.cache()).iter().any(|name| name.contains(".tmp")), "{:?}", names(&helper.cache()));
}

/// A way in which a file can be wrong.
struct Wrong {
    what: &'static str,
    make: fn(&Path),
    /// Whether a line on stderr names the file.
    warns: bool,
    /// Whether the next write puts it right.
    mends: bool,
}

#[test]
fn a_file_of_any_shape_is_a_miss_that_mends_itself() {
    fn put(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
    }
    fn instead(path: &Path) {
        std::fs::remove_file(path).unwrap();
    }
    let quiet = |what, make| Wrong { what, make, warns: false, mends: true };
    let mut shapes = vec![
        quiet("empty", |path| put(path, b"")),
        quiet("cut", |path| put(path, &std::fs::read(path).unwrap()[..500])),
        quiet("garbage", |path| put(path, &[0xff; 3_000])),
        quiet("null", |path| put(path, b"null")),
        quiet("an empty object", |path| put(path, b"{}")),
        quiet("another version", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            put(path, text.replace("\"version\":1", "\"version\":99").as_bytes());
        }),
        quiet("another token under the same checksum", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            put(path, text.replace("Zm9vYmFyZm9v", "Zm9vYmFzZm9v").as_bytes());
        }),
        quiet("longer by an hour under the same checksum", |path| {
            let text = std::fs::read_to_string(path).unwrap();
            let at = text.find("\"expires_at\":").unwrap() + "\"expires_at\":".len();
            put(path, format!("{}9{}", &text[..at], &text[at + 1..]).as_bytes());
        }),
        quiet("huge", |path| std::fs::OpenOptions::new().write(true).open(path).unwrap().set_len(1 << 40).unwrap()),
        quiet("a directory", |path| {
            instead(path);
            std::fs::create_dir(path).unwrap();
        }),
        Wrong {
            what: "a directory with something in it",
            make: |path| {
                instead(path);
                std::fs::create_dir_all(path.join("something")).unwrap();
            },
            warns: false,
            mends: false,
        },
        quiet("a FIFO", |path| {
            instead(path);
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        quiet("a link to a good entry", |path| {
            let aside = path.with_file_name("aside");
            std::fs::rename(path, &aside).unwrap();
            symlink(aside, path).unwrap();
        }),
        quiet("a link to nowhere", |path| {
            instead(path);
            symlink("/nowhere/at/all", path).unwrap();
        }),
        Wrong {
            what: "writable by others",
            make: |path| std::fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap(),
            warns: true,
            mends: true,
        },
    ];
    if is_root() {
        let make = |path: &Path| chown(path, Some(12_345), None).unwrap();
        shapes.push(Wrong { what: "of another owner", make, warns: true, mends: true });
    } else {
        println!("skipped: a file of another owner, as only root can make one");
        shapes.push(quiet("mode 000", |path| std::fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap()));
    }
    for Wrong { what, make, warns, mends } in shapes {
        let (aws, helper, entry) = with_entry();
        make(&entry);
        let get = helper.get(REGISTRY);
        get.token_with_warning();
        assert_eq!(aws.calls(Service::Ecr), 2, "{what}");
        if warns {
            assert!(get.line().contains(entry.to_str().unwrap()), "{what}: {get:?}");
        } else {
            assert_eq!(get.stderr, "", "{what}");
        }
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), if mends { 2 } else { 3 }, "{what}");
        if mends {
            assert_eq!(mode(&entry), 0o600, "{what}");
        }
        no_temporary_file(&helper);
    }
}

#[test]
fn a_file_under_anothers_name_is_not_served() {
    let (aws, helper, entry) = with_entry();
    let other = "210987654321.dkr.ecr.eu-west-1.amazonaws.com";
    let there = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let name = entry.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::copy(&entry, entry.with_file_name(name.replace(REGISTRY, other))).unwrap();
    // The name of the entry for another region is only known once there is one.
    helper.get(there).token();
    let target = names(&helper.cache()).into_iter().find(|name| name.ends_with(there)).unwrap();
    std::fs::copy(&entry, entry.with_file_name(target)).unwrap();
    assert_eq!(helper.get(there).token().region, "us-east-1");
    assert_eq!(aws.calls(Service::Ecr), 3);
}

#[test]
fn a_directory_of_ours_that_others_could_write_gets_its_mode_back() {
    let (aws, helper, _) = with_entry();
    for wrong in [0o2770, 0o777, 0o770, 0o702, 0o1777] {
        std::fs::set_permissions(helper.cache(), Permissions::from_mode(wrong)).unwrap();
        helper.get(REGISTRY).token();
        assert_eq!(mode(&helper.cache()), 0o700, "{wrong:o}");
    }
    assert_eq!(aws.calls(Service::Ecr), 1, "the entry's own mode says that nobody else wrote it");
}

#[test]
fn a_mount_with_fs_group_costs_one_request_and_no_warning() {
    let (aws, helper, entry) = with_entry();
    for mount in 1..=2 {
        // The kubelet's `fsGroup`: g+rw on every file, g+rwxs on every directory.
        for name in names(&helper.cache()) {
            let path = helper.cache().join(name);
            std::fs::set_permissions(&path, Permissions::from_mode(mode(&path) | 0o660)).unwrap();
        }
        std::fs::set_permissions(helper.cache(), Permissions::from_mode(0o2770)).unwrap();
        helper.get(REGISTRY).token();
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), 1 + mount, "what the group could have written is replaced");
        assert_eq!((mode(&entry), mode(&helper.cache())), (0o600, 0o700));
        let locks = names(&helper.cache()).into_iter().filter(|name| name.starts_with("lock-"));
        assert!(locks.map(|name| mode(&helper.cache().join(name))).all(|mode| mode == 0o600));
    }
}

#[test]
fn a_directory_that_is_not_ours_is_not_used_and_not_changed() {
    fn untrusted(helper: &Helper, aws: &FakeAws, get: &Outcome, why: &str) {
        get.token_with_warning();
        assert!(get.line().contains(why) && get.line().contains(helper.cache().to_str().unwrap()), "{get:?}");
        let before = aws.calls(Service::Ecr);
        helper.get(REGISTRY).token_with_warning();
        assert_eq!(aws.calls(Service::Ecr), before + 1);
        assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
        let list = helper.run(["list"], "unused");
        assert_eq!((list.code, list.stdout.contains(REGISTRY)), (Some(0), false), "{list:?}");
        assert!(list.line().contains(why), "{list:?}");
    }
    let (aws, helper, _) = with_entry();
    let aside = helper.home().join("aside");
    std::fs::rename(helper.cache(), &aside).unwrap();
    symlink(&aside, helper.cache()).unwrap();
    untrusted(&helper, &aws, &helper.get(REGISTRY), "symbolic link");
    std::fs::remove_file(helper.cache()).unwrap();
    std::fs::write(helper.cache(), "a file").unwrap();
    untrusted(&helper, &aws, &helper.get(REGISTRY), "not a directory");
    std::fs::remove_file(helper.cache()).unwrap();
    if is_root() {
        std::fs::create_dir(helper.cache()).unwrap();
        chown(helper.cache(), Some(12_345), None).unwrap();
        untrusted(&helper, &aws, &helper.get(REGISTRY), "belongs to user 12345");
    } else {
        println!("skipped: a directory of another owner, as only root can make one");
    }
}

#[test]
fn everything_that_is_made_is_its_owners_alone_whatever_the_umask() {
    for umask in ["000", "022", "077", "777"] {
        let aws = FakeAws::start();
        let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
        let helper = helper.env("AWS_ECR_CACHE_DIR", helper_path("deep/er"));
        if umask == "777" && !is_root() {
            // Nobody but root could go into the directories above, which are not ours to change.
            std::fs::create_dir_all(helper.home().join("deep/er")).unwrap();
        }
        let shell = format!("umask {umask}; exec {} get", binary().display());
        let shell_helper = helper.command(Vec::<String>::new());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &shell]).env_clear();
        command.envs(shell_helper.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.current_dir(helper.home());
        use std::process::Stdio;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, REGISTRY.as_bytes()).wait().token();
        let ours = helper.home().join("deep/er/ecr-login");
        assert_eq!(mode(&ours), 0o700, "umask {umask}");
        for name in names(&ours).iter().filter(|name| !name.starts_with("lock-")) {
            assert_eq!(mode(&ours.join(name)), 0o600, "umask {umask}: {name}");
        }
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), 1, "umask {umask}: a relative path is one of the working directory");
    }
}

/// No file may grow: what the cache writes fails, what goes to stdout does not.
#[test]
fn on_a_disk_that_takes_nothing_the_token_is_delivered_and_nothing_half_written_stays() {
    let aws = FakeAws::start();
    let helper = Helper::new().aws(&aws).keys("AKIAEXAMPLE");
    for calls in 1..=2 {
        let mut command = helper.command(Vec::<String>::new());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -f 0; trap '' XFSZ; exec \"$0\" get"]).arg(binary()).env_clear();
        shell.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?)))).current_dir(helper.home());
        use std::process::Stdio;
        command = shell;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::start(command, REGISTRY.as_bytes()).wait().token_with_warning();
        assert_eq!(aws.calls(Service::Ecr), calls);
        no_temporary_file(&helper);
        assert!(entries(&helper).is_empty());
    }
}

fn helper_path(path: &str) -> String {
    path.to_owned()
}

#[test]
fn what_a_killed_writer_left_over_goes_with_the_next_write() {
    let (aws, helper, entry) = with_entry();
    let name = entry.file_name().unwrap().to_str().unwrap();
    let left_over = [format!("{name}.tmp"), format!("{name}.12-34.tmp"), "x.tmp".to_owned()];
    for left_over in &left_over {
        std::fs::write(helper.cache().join(left_over), "half of an ent").unwrap();
    }
    std::fs::create_dir(helper.cache().join("y.tmp")).unwrap();
    helper.get("210987654321.dkr.ecr.eu-west-1.amazonaws.com").token();
    no_temporary_file(&helper);
    std::fs::write(helper.cache().join(&left_over[0]), "half of an ent").unwrap();
    assert_eq!(helper.run(["erase"], REGISTRY).code, Some(0));
    no_temporary_file(&helper);
    assert_eq!(aws.calls(Service::Ecr), 1);
}

#[test]
fn expired_entries_go_when_something_is_written() {
    let (aws, helper, entry) = with_entry();
    age(&helper, 13 * HOUR);
    assert!(entry.exists());
    helper.get("123456789012.dkr.ecr.us-east-1.amazonaws.com").token();
    assert!(!entry.exists());
    assert_eq!((entries(&helper).len(), aws.calls(Service::Ecr)), (1, 2));
}

#[test]
fn old_notes_of_failures_go_though_every_fetch_fails() {
    let (aws, helper, _) = with_entry();
    aws.fail(Service::Ecr, Fault::access_denied());
    let notes = |helper: &Helper| names(&helper.cache()).iter().filter(|name| name.ends_with(".failed")).count();
    for number in 0..3 {
        helper.get(&format!("123456789012.dkr.ecr.eu-central-{number}.amazonaws.com")).failure();
    }
    assert_eq!(notes(&helper), 3);
    for name in names(&helper.cache()).iter().filter(|name| name.ends_with(".failed")) {
        let note = std::fs::File::options().append(true).open(helper.cache().join(name)).unwrap();
        note.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(3_600)).unwrap();
    }
    helper.get("123456789012.dkr.ecr.eu-central-9.amazonaws.com").failure();
    assert_eq!(notes(&helper), 1);
}

#[test]
fn the_cache_never_holds_more_than_a_thousand_entries() {
    let (aws, helper, entry) = with_entry();
    // What ends last stays longest.
    age(&helper, HOUR);
    let text = std::fs::read(&entry).unwrap();
    let file_name = entry.file_name().unwrap().to_str().unwrap();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(20 * 3_600);
    for number in 0..1_050_u64 {
        let host = format!("{}.dkr.ecr.eu-west-1.amazonaws.com", 100_000_000_000 + number);
        let path = entry.with_file_name(file_name.replace(REGISTRY, &host));
        std::fs::write(&path, &text).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
    }
    helper.get("123456789012.dkr.ecr.us-east-1.amazonaws.com").token();
    let held = names(&helper.cache()).iter().filter(|name| name.ends_with(".amazonaws.com")).count();
    assert_eq!(held, 1_000);
    assert_eq!(aws.calls(Service::Ecr), 2);
}

#[test]
fn a_lock_or_failure_file_that_cannot_be_used_fails_no_call() {
    let (aws, helper, _) = with_entry();
    let lock = names(&helper.cache()).into_iter().find(|name| name.starts_with("lock-")).unwrap();
    let lock = helper.cache().join(lock);
    type Make = fn(&Path);
    let shapes: [Make; 4] = [
        |path| std::fs::create_dir_all(path.join("x")).unwrap(),
        |path| symlink("/nowhere/at/all", path).unwrap(),
        |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        |path| {
            std::fs::write(path, "").unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
        },
    ];
    for (number, make) in shapes.iter().enumerate() {
        if std::fs::remove_file(&lock).is_err() {
            std::fs::remove_dir_all(&lock).unwrap();
        }
        make(&lock);
        cache(&helper).clear().unwrap();
        helper.get(REGISTRY).token();
        helper.get(REGISTRY).token();
        assert_eq!(aws.calls(Service::Ecr), number + 2);
    }
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn clear_forgets_everything_but_the_locks() {
    let (aws, helper, _) = with_entry();
    helper.get("123456789012.dkr.ecr.us-east-1.amazonaws.com").token();
    assert!(cache(&helper).clear().unwrap());
    assert!(entries(&helper).is_empty());
    assert!(!cache(&helper).clear().unwrap(), "nothing was left");
    helper.get(REGISTRY).token();
    assert_eq!(aws.calls(Service::Ecr), 3);
}
