//! Another user where the cache is: directories and files made first, links, pipes, devices, planted entries, and
//! renames while the victim works.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ecr_login::cache::{Cache, Entry};
use ecr_login::os::environment::Environment;
use ecr_login::os::secret::Secret;

use crate::support::cache::{eventually, names};
use crate::support::strace;
use crate::support::{REGISTRY, Service};
use crate::users::{ATTACKER, Ground, VICTIM, belongs, can_switch, link, state};

/// The cache in `directory/ecr-login`, by the crate's own code.
fn cache(directory: &Path) -> Cache {
    Cache::open(&Environment::of([("AWS_ECR_CACHE_DIR", directory)])).unwrap()
}

/// Gives a directory with all that is in it to somebody.
fn give(directory: &Path, owner: u32, mode: u32, files: u32) {
    for name in names(directory) {
        belongs(&directory.join(name), owner, files);
    }
    belongs(directory, owner, mode);
}

#[test]
fn a_place_that_another_user_made_first_holds_no_token_and_the_answer_comes() {
    if !can_switch("a place that another user made first") {
        return;
    }
    type Make = fn(&Ground, &Path);
    let shapes: [(&str, Make); 10] = [
        ("a directory that all may write", |_, path| directory(path, ATTACKER, 0o777)),
        ("a directory that all may write, with the sticky bit", |_, path| directory(path, ATTACKER, 0o1777)),
        ("a directory of the attacker's alone", |_, path| directory(path, ATTACKER, 0o700)),
        ("a directory as ours is, of the attacker's", |_, path| directory(path, ATTACKER, 0o755)),
        ("a link to a directory of the victim's", |ground, path| link(ground.path("home/own"), path, ATTACKER)),
        ("a link to a directory of the attacker's", |ground, path| link(ground.path("his"), path, ATTACKER)),
        ("a link to nowhere", |ground, path| link(ground.path("nowhere"), path, ATTACKER)),
        ("a file", |_, path| {
            std::fs::write(path, "").unwrap();
            belongs(path, ATTACKER, 0o666);
        }),
        ("another name of a file of the victim's", |ground, path| {
            std::fs::hard_link(ground.path("home/own/precious"), path).unwrap();
        }),
        ("a pipe", |_, path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
            belongs(path, ATTACKER, 0o666);
        }),
    ];
    fn directory(path: &Path, owner: u32, mode: u32) {
        std::fs::create_dir(path).unwrap();
        belongs(path, owner, mode);
    }
    for (what, make) in shapes {
        for (above, owner, mode) in [("tmp", 0, 0o1777), ("his-own", ATTACKER, 0o777)] {
            let ground = Ground::new();
            let own = ground.directory("home/own", VICTIM, 0o755);
            ground.file("home/own/precious", "precious", VICTIM, 0o600);
            let his = ground.directory("his", ATTACKER, 0o777);
            let place = ground.directory(above, owner, mode);
            make(&ground, &place.join("ecr-login"));
            let before = (state(&own), state(&his));
            for _ in 0..2 {
                let get = ground.get(&[("AWS_ECR_CACHE_DIR", &place)]);
                assert_eq!(get.token_with_warning().key, "AKIAVICTIM", "{what} in {above}");
                assert!(get.line().contains("the cache directory"), "{what} in {above}: {get:?}");
            }
            assert_eq!(ground.aws.calls(Service::Ecr), 2, "{what} in {above}");
            assert_eq!((state(&own), state(&his)), before, "{what} in {above}");
            assert!(!ground.path("nowhere").exists(), "{what} in {above}");
            ground.assert_nothing_leaked(&format!("{what} in {above}"));
        }
    }
}

#[test]
fn below_a_link_of_another_user_the_tokens_are_the_victims_alone() {
    if !can_switch("a link above the cache") {
        return;
    }
    let ground = Ground::new();
    let own = ground.directory("home/own", VICTIM, 0o755);
    let tmp = ground.directory("tmp", 0, 0o1777);
    link(&own, &tmp.join("cache"), ATTACKER);
    let directory = tmp.join("cache");
    for _ in 0..2 {
        ground.get(&[("AWS_ECR_CACHE_DIR", &directory)]).token_with_warning();
    }
    ground.assert_nothing_leaked("a link above the cache");
    for made in names(&own) {
        assert_eq!(made, "ecr-login");
        assert_eq!(state(&own.join(made))[0], format!("{VICTIM} 40700"));
    }
}

/// The attacker knows the format, the checksum, and whose cache key it is.
#[test]
fn an_entry_that_another_user_planted_is_never_served() {
    if !can_switch("a planted entry") {
        return;
    }
    type Plant = fn(&Path);
    let ways: [(&str, Plant); 4] = [
        ("all of it is his", |directory| give(directory, ATTACKER, 0o755, 0o644)),
        ("the directory is the victim's, the files are his", |directory| {
            give(directory, ATTACKER, 0o755, 0o644);
            belongs(directory, VICTIM, 0o755);
        }),
        ("the files are the victim's, the directory is his", |directory| {
            give(directory, VICTIM, 0o755, 0o644);
            belongs(directory, ATTACKER, 0o755);
        }),
        ("all of it is the victim's, and anybody may write the files", |directory| {
            give(directory, VICTIM, 0o755, 0o666);
        }),
    ];
    for (what, plant) in ways {
        let ground = Ground::new();
        let (own, his) = (ground.home().join(".cache"), ground.directory("his", ATTACKER, 0o755));
        ground.get(&[]).token();
        std::fs::create_dir(his.join("ecr-login")).unwrap();
        give(&own.join("ecr-login"), 0, 0o700, 0o600);
        let entry = cache(&own).entries().remove(0);
        give(&own.join("ecr-login"), VICTIM, 0o700, 0o600);
        let planted = cache(&his);
        planted.write(&Entry { password: Secret::new("planted".into()), ..entry }, planted.invalidation_epoch());
        assert_eq!(planted.entries().len(), 1);
        plant(&his.join("ecr-login"));
        let get = ground.get(&[("AWS_ECR_CACHE_DIR", &his)]);
        assert_eq!(get.token_with_warning().serial, 2, "{what}: from ECR");
        assert!(get.line().contains("is not used"), "{what}: {get:?}");
        let list = ground.run("exec \"$HELPER\" list", &[("AWS_ECR_CACHE_DIR", &his)]);
        assert_eq!(list.code, Some(0), "{what}: {list:?}");
        ground.assert_nothing_leaked(what);
        // Where nobody stands in the way the same entry would be served: it is well made.
        if what.starts_with("all of it is his") {
            give(&his.join("ecr-login"), VICTIM, 0o700, 0o600);
            assert_eq!(ground.get(&[("AWS_ECR_CACHE_DIR", &his)]).answer().secret, "planted");
        }
    }
}

/// What stood open once, and was closed: the directory is the victim's again, what lies in it is the attacker's.
#[test]
fn pipes_devices_and_huge_files_under_our_names_block_no_call() {
    if !can_switch("pipes, devices and huge files") {
        return;
    }
    fn pipe(path: &Path) {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }
    fn device(path: &Path) {
        assert!(Command::new("mknod").arg(path).args(["c", "1", "5"]).status().unwrap().success());
    }
    fn huge(path: &Path) {
        std::fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
    }
    type Make = fn(&Path);
    for (what, make) in [("pipes", pipe as Make), ("devices", device), ("huge files", huge)] {
        let ground = Ground::new();
        let tmp = ground.directory("tmp", 0, 0o1777);
        ground.get(&[("AWS_ECR_CACHE_DIR", &tmp)]).token();
        let ours = tmp.join("ecr-login");
        let entry = names(&ours).into_iter().find(|name| name.ends_with(REGISTRY)).unwrap();
        let cache_key = entry.split_once('-').unwrap().0.to_owned();
        let mut taken = vec![
            entry.clone(),
            format!("{entry}.tmp"),
            format!("{cache_key}.failed"),
            format!("{cache_key}.failed.tmp"),
            format!("{cache_key}.refreshing"),
            "erased".to_owned(),
        ];
        taken.extend((0..64).map(|number| format!("lock-{number:02x}")));
        for name in taken {
            let path = ours.join(name);
            let _ = std::fs::remove_file(&path);
            make(&path);
            belongs(&path, ATTACKER, 0o666);
        }
        for action in ["get", "get", "list", "erase", "status", "clear", "get"] {
            let run = ground.run(&format!("exec \"$HELPER\" {action}"), &[("AWS_ECR_CACHE_DIR", &tmp)]);
            assert_eq!(run.code, Some(0), "{what}: {action}: {run:?}");
            if action == "get" {
                run.token_with_warning();
            }
        }
        ground.assert_nothing_leaked(what);
    }
}

/// An access control list that the directory above hands down would let the attacker in, mode or not.
#[test]
fn an_inherited_access_control_list_grants_no_access() {
    if !can_switch("an access control list") {
        return;
    }
    let ground = Ground::new();
    let his = ground.directory("his", ATTACKER, 0o777);
    // acl(5) in the kernel's form: a version, then tag, rights and id of each line.
    let mut list = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, rights, id) in
        [(1_u16, 7_u16, nobody), (2, 7, ATTACKER), (4, 0, nobody), (16, 7, nobody), (32, 0, nobody)]
    {
        list.extend(tag.to_le_bytes());
        list.extend(rights.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    let name = "system.posix_acl_default";
    if let Err(error) = rustix::fs::setxattr(&his, name, &list, rustix::fs::XattrFlags::empty()) {
        println!("skipped: an access control list: {error}");
        return;
    }
    // The list works: what the victim makes there is the attacker's to read.
    let script = "echo open > \"$AWS_ECR_CACHE_DIR/open\"";
    assert_eq!(ground.run(script, &[("AWS_ECR_CACHE_DIR", &his)]).code, Some(0));
    assert_eq!(ground.run_as(ATTACKER, "cat his/open", &[]).stdout, "open\n");
    ground.get(&[("AWS_ECR_CACHE_DIR", &his)]).token();
    assert!(his.join("ecr-login").is_dir());
    ground.assert_nothing_leaked("an access control list");
    assert_ne!(ground.run_as(ATTACKER, "ls his/ecr-login", &[]).code, Some(0));
}

/// A thread with the attacker's rights that does `work` over and over.
fn attacking<T>(work: impl Fn() + Sync, while_running: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let group = rustix::process::Gid::from_raw(ATTACKER);
            let user = rustix::process::Uid::from_raw(ATTACKER);
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            while !done.load(Ordering::Relaxed) {
                work();
            }
        });
        let result = while_running();
        done.store(true, Ordering::Relaxed);
        result
    })
}

/// The moment between making the directory and looking at it, made long.
#[test]
fn a_directory_swapped_as_soon_as_it_is_made_changes_no_file_of_the_victims() {
    if !can_switch("a directory swapped as soon as it is made") || !strace::has_strace() {
        return;
    }
    let ground = Ground::new();
    let own = ground.directory("home/own", VICTIM, 0o711);
    ground.file("home/own/precious", "precious", VICTIM, 0o600);
    belongs(&ground.home(), VICTIM, 0o711);
    // With the bit that hands its group down: what is made there has another mode than was asked for.
    let his = ground.directory("his", ATTACKER, 0o2777);
    let ours = his.join("ecr-login");
    let before = state(&own);
    let swap = || {
        if ours.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            let _ = std::fs::rename(&ours, his.join("aside"));
            let _ = std::os::unix::fs::symlink(own.join("precious"), &ours);
        }
    };
    attacking(swap, || {
        for umask in ["022", "777"] {
            let _ = std::fs::remove_file(&ours);
            let _ = std::fs::remove_dir_all(his.join("aside"));
            let script = format!(
                "umask {umask}; exec strace -qq -o /dev/null -e inject=?chmod,fchmodat:delay_enter=500000 \"$HELPER\" get"
            );
            ground.run(&script, &[("AWS_ECR_CACHE_DIR", &his)]).token_with_warning();
            eventually("the attacker has swapped it", || his.join("aside").exists());
        }
    });
    assert_eq!(state(&own), before);
    ground.assert_nothing_leaked("a swap");
}

/// How long a race lasts; `scripts/proofs/50-attacked` has a long one.
fn race() -> Duration {
    let seconds = std::env::var("ECR_LOGIN_RACE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(2))
}

#[test]
fn renames_while_the_victim_works_bring_nothing_out_and_change_nothing_else() {
    if !can_switch("renames while the victim works") {
        return;
    }
    let ground = Ground::new();
    let own = ground.directory("home/own", VICTIM, 0o711);
    ground.file("home/own/precious", "precious", VICTIM, 0o600);
    let home = ground.home();
    belongs(&home, VICTIM, 0o711);
    // With the bit that hands its group down, as an attacker would have it: what is made there has another mode.
    let his = ground.directory("his", ATTACKER, 0o2777);
    let open = ground.directory("open", ATTACKER, 0o777);
    let before = state(&own);
    let ours = his.join("ecr-login");
    let aside = |number: usize| his.join(format!("aside-{number}"));
    let turns: [PathBuf; 4] = [own.join("precious"), own.clone(), open.clone(), his.join("nowhere")];
    let rename = || {
        for (number, to) in turns.iter().enumerate() {
            // Every one of these may fail: the victim is in between.
            let _ = std::fs::rename(&ours, aside(number));
            let _ = std::os::unix::fs::symlink(to, &ours);
            let _ = std::fs::remove_file(&ours);
            let _ = std::fs::create_dir(&ours);
            let _ = std::fs::set_permissions(&ours, std::os::unix::fs::PermissionsExt::from_mode(0o777));
            let _ = std::fs::remove_dir(&ours);
            let _ = std::fs::rename(aside(number), &ours);
        }
    };
    let gets = attacking(rename, || {
        let begun = Instant::now();
        let mut gets = 0;
        while begun.elapsed() < race() || gets < 8 {
            let umask = ["022", "000", "777", "277"][gets % 4];
            let action = ["get", "get", "erase", "get"][gets / 4 % 4];
            let script = format!("umask {umask}; exec \"$HELPER\" {action}");
            let run = ground.run(&script, &[("AWS_ECR_CACHE_DIR", &his)]);
            assert_eq!(run.code, Some(0), "{run:?}");
            if action == "get" {
                run.token_with_warning();
            }
            gets += 1;
        }
        gets
    });
    println!("{gets} calls in the race, {} of ECR", ground.aws.calls(Service::Ecr));
    assert_eq!(state(&own), before);
    assert_eq!(names(&open), Vec::<String>::new());
    ground.assert_nothing_leaked("renames");
}
