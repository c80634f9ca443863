//! `setup docker` against config.json files as people have them: only our lines change, and `--undo` gives back
//! the bytes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
const OTHER: &str = "210987654321.dkr.ecr.us-east-1.amazonaws.com";

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(bytes: &[u8]) -> Self {
        let home = Self::new();
        fs::create_dir(home.path(".docker")).unwrap();
        fs::write(home.config(), bytes).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    fn settings(&self) -> PathBuf {
        self.path(".config/ecr-login/config.toml")
    }

    fn read(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-credential-ecr-login"));
        command.args(["setup", "docker"]).args(arguments).env_clear().current_dir(self.0.path());
        command.env("HOME", self.0.path()).env("AWS_EC2_METADATA_DISABLED", "true").env("PATH", self.path("bin"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a setup that must succeed; what it said on stdout.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a setup that must fail with one line on stderr, which it gives back.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(".docker"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A file, and the piece that goes in: everything before and behind it must be the file's own bytes.
struct Shape {
    name: &'static str,
    before: &'static str,
    /// The file afterwards; `@` stands for the registry.
    after: &'static str,
}

const SHAPES: &[Shape] = &[
    Shape {
        name: "docker's own, with tabs and no newline at the end",
        before: "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t}\n}",
        after: "{\n\t\"auths\": {\n\t\t\"ghcr.io\": {\n\t\t\t\"auth\": \"dTpw\"\n\t\t}\n\t},\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}",
    },
    Shape {
        name: "two blanks",
        before: "{\n  \"credsStore\": \"desktop\",\n  \"currentContext\": \"colima\"\n}\n",
        after: "{\n  \"credsStore\": \"desktop\",\n  \"currentContext\": \"colima\",\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "four blanks",
        before: "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"experimental\": \"enabled\"\n}\n",
        after: "{\n    \"psFormat\": \"table {{.ID}}\",\n    \"experimental\": \"enabled\",\n    \"credHelpers\": {\n        \"@\": \"ecr-login\"\n    }\n}\n",
    },
    Shape {
        name: "lines that end in CR LF",
        before: "{\r\n  \"credsStore\": \"wincred\"\r\n}\r\n",
        after: "{\r\n  \"credsStore\": \"wincred\",\r\n  \"credHelpers\": {\r\n    \"@\": \"ecr-login\"\r\n  }\r\n}\r\n",
    },
    Shape {
        name: "a byte order mark",
        before: "\u{feff}{\n  \"credsStore\": \"wincred\"\n}\n",
        after: "\u{feff}{\n  \"credsStore\": \"wincred\",\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "all on one line, packed",
        before: r#"{"auths":{"ghcr.io":{"auth":"dTpw"}},"credsStore":"pass"}"#,
        after: r#"{"auths":{"ghcr.io":{"auth":"dTpw"}},"credsStore":"pass","credHelpers":{"@":"ecr-login"}}"#,
    },
    Shape {
        name: "all on one line, with blanks",
        before: "{\"auths\": {}, \"credsStore\": \"pass\"}\n",
        after: "{\"auths\": {}, \"credsStore\": \"pass\", \"credHelpers\": {\"@\": \"ecr-login\"}}\n",
    },
    Shape { name: "an empty object", before: "{}", after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}" },
    Shape {
        name: "an empty object over three lines",
        before: "{\n\n}\n",
        after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape { name: "an empty file", before: "", after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n" },
    Shape {
        name: "nothing but white space",
        before: " \n\n",
        after: "{\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape {
        name: "other helpers",
        before: "{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcr\",\n\t\t\"quay.io\": \"pass\"\n\t},\n\t\"detachKeys\": \"ctrl-q\"\n}",
        after: "{\n\t\"credHelpers\": {\n\t\t\"gcr.io\": \"gcr\",\n\t\t\"quay.io\": \"pass\",\n\t\t\"@\": \"ecr-login\"\n\t},\n\t\"detachKeys\": \"ctrl-q\"\n}",
    },
    Shape {
        name: "other helpers on one line of a longer file",
        before: "{\n  \"credHelpers\": {\"gcr.io\": \"gcr\"},\n  \"x\": 1\n}\n",
        after: "{\n  \"credHelpers\": {\"gcr.io\": \"gcr\", \"@\": \"ecr-login\"},\n  \"x\": 1\n}\n",
    },
    Shape {
        name: "an empty credHelpers",
        before: "{\n  \"credHelpers\": {},\n  \"x\": 1\n}\n",
        after: "{\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  },\n  \"x\": 1\n}\n",
    },
    Shape {
        name: "credHelpers null",
        before: "{\n  \"credHelpers\": null\n}\n",
        after: "{\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "credHelpers twice, which docker adds up",
        before: "{\n  \"credHelpers\": {\"a.io\": \"a\"},\n  \"credHelpers\": {\"b.io\": \"b\"}\n}\n",
        after: "{\n  \"credHelpers\": {\"a.io\": \"a\"},\n  \"credHelpers\": {\"b.io\": \"b\", \"@\": \"ecr-login\"}\n}\n",
    },
    Shape {
        name: "commas first",
        before: "{ \"auths\": {}\n, \"credHelpers\":\n  { \"a.io\": \"a\"\n  , \"b.io\": \"b\"\n  }\n}\n",
        after: "{ \"auths\": {}\n, \"credHelpers\":\n  { \"a.io\": \"a\"\n  , \"b.io\": \"b\", \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "strange but right strings and numbers",
        before: "{\n  \"\\u0061\\\"}{\": \"\\ud83d\\ude00 \\\\\", \"n\": 1e3, \"m\": -0.0,\n  \"k\": [1,\n2, {}]\n}\n",
        after: "{\n  \"\\u0061\\\"}{\": \"\\ud83d\\ude00 \\\\\", \"n\": 1e3, \"m\": -0.0,\n  \"k\": [1,\n2, {}],\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n}\n",
    },
    Shape {
        name: "many plugins and headers",
        before: "{\n\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"Docker-Client/28.2.2 (linux)\"\n\t},\n\t\"plugins\": {\n\t\t\"-x-cli-hints\": {\n\t\t\t\"enabled\": \"true\"\n\t\t}\n\t},\n\t\"features\": {\n\t\t\"hooks\": \"true\"\n\t}\n}\n",
        after: "{\n\t\"HttpHeaders\": {\n\t\t\"User-Agent\": \"Docker-Client/28.2.2 (linux)\"\n\t},\n\t\"plugins\": {\n\t\t\"-x-cli-hints\": {\n\t\t\t\"enabled\": \"true\"\n\t\t}\n\t},\n\t\"features\": {\n\t\t\"hooks\": \"true\"\n\t},\n\t\"credHelpers\": {\n\t\t\"@\": \"ecr-login\"\n\t}\n}\n",
    },
    Shape {
        name: "not indented at all",
        before: "{\n\"auths\": {\n}\n}\n",
        after: "{\n\"auths\": {\n},\n\"credHelpers\": {\n\"@\": \"ecr-login\"\n}\n}\n",
    },
    Shape {
        name: "blank lines around",
        before: "\n\n{\n  \"a\": 1\n\n}\n\n\n",
        after: "\n\n{\n  \"a\": 1,\n  \"credHelpers\": {\n    \"@\": \"ecr-login\"\n  }\n\n}\n\n\n",
    },
];

#[test]
fn only_our_lines_change_in_every_shape_and_undo_gives_back_the_bytes() {
    assert!(SHAPES.len() >= 20);
    for shape in SHAPES {
        let home = Home::with(shape.before.as_bytes());
        home.done(&["--registry", REGISTRY]);
        assert_eq!(home.read(), shape.after.replace('@', REGISTRY), "{}", shape.name);
        let again = home.done(&["--registry", REGISTRY]);
        assert!(again.contains("nothing to do"), "{}: {again}", shape.name);
        assert_eq!(home.read(), shape.after.replace('@', REGISTRY), "{}: again", shape.name);
        let copy = fs::read_to_string(home.path(".docker/config.json.before-ecr-login")).unwrap();
        assert_eq!(copy, shape.before, "{}: the copy", shape.name);
        home.done(&["--undo"]);
        assert_eq!(home.read(), shape.before, "{}: undone", shape.name);
        assert_eq!(home.names(), ["config.json"], "{}: nothing is left behind", shape.name);
    }
}

#[test]
fn what_is_no_json_object_is_left_alone_and_its_fault_is_named() {
    for (text, place) in [
        ("{\n  // work\n  \"auths\": {}\n}\n", "line 2, column 3"),
        ("{\n  \"auths\": {},\n}\n", "line 3, column 1"),
        ("{\n  \"auths\": {\n", "line 3"),
        ("[]", "line 1, column 1: the top is not an object"),
        ("null", "line 1, column 1: the top is not an object"),
        ("auths:\n  x: y\n", "line 1, column 1"),
        ("{\"credHelpers\": \"ecr-login\"}", "credHelpers is not an object"),
        ("{\"a\":1}{\"b\":2}", "line 1, column 8"),
    ] {
        let home = Home::with(text.as_bytes());
        let line = home.refused(&["--registry", REGISTRY]);
        assert!(line.contains(place) && line.contains("config.json"), "{text:?}: {line}");
        assert_eq!(home.read(), text);
        assert_eq!(home.names(), ["config.json"]);
    }
}

#[test]
fn a_file_that_is_not_there_is_made_private_and_undo_removes_it() {
    let home = Home::new();
    home.done(&["--registry", REGISTRY]);
    assert_eq!(home.read(), format!("{{\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(home.config()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path(".docker")).unwrap().permissions().mode() & 0o777, 0o700);
    }
    home.done(&["--undo"]);
    assert!(!home.config().exists());
}

#[test]
fn one_megabyte_of_logins_stays_as_it_is() {
    let mut before = "{\n\t\"auths\": {".to_owned();
    for number in 0..20_000 {
        let comma = if number == 0 { "" } else { "," };
        before
            .push_str(&format!("{comma}\n\t\t\"registry-{number}.containers.example.com\": {{ \"auth\": \"dTpw\" }}"));
    }
    before.push_str("\n\t}\n}\n");
    assert!(before.len() > 1 << 20);
    let home = Home::with(before.as_bytes());
    home.done(&["--registry", REGISTRY, "--registry", OTHER]);
    let ours =
        format!(",\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\",\n\t\t\"{OTHER}\": \"ecr-login\"\n\t}}");
    assert_eq!(home.read(), format!("{}{ours}\n}}\n", before.trim_end_matches("\n}\n")));
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link_and_mode_and_owner_stay() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    let home = Home::new();
    fs::create_dir_all(home.path("dotfiles")).unwrap();
    fs::create_dir_all(home.path(".docker")).unwrap();
    let target = home.path("dotfiles/docker.json");
    fs::write(&target, "{}\n").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    let root = fs::metadata(&target).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::chown(&target, Some(12345), Some(54321)).unwrap();
    }
    symlink("middle.json", home.config()).unwrap();
    symlink("../dotfiles/docker.json", home.path(".docker/middle.json")).unwrap();
    home.done(&["--registry", REGISTRY]);
    assert!(fs::symlink_metadata(home.config()).unwrap().is_symlink());
    assert!(fs::symlink_metadata(home.path(".docker/middle.json")).unwrap().is_symlink());
    let metadata = fs::symlink_metadata(&target).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.mode() & 0o777, 0o444);
    if root {
        assert_eq!((metadata.uid(), metadata.gid()), (12345, 54321));
    }
    assert!(fs::read_to_string(&target).unwrap().contains(REGISTRY));
    let leftovers = fs::read_dir(home.path("dotfiles")).unwrap().count();
    assert_eq!(leftovers, 1, "the copy lies beside the name that docker reads, not where a link leads");
}

#[cfg(unix)]
#[test]
fn another_users_file_and_a_directory_without_rights_are_left_alone() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let home = Home::with(b"{}");
    if fs::metadata(home.config()).unwrap().uid() != 0 {
        return; // Only root can become somebody else.
    }
    for directory in [home.0.path().to_owned(), home.path(".docker")] {
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let program = home.path("helper");
    fs::copy(env!("CARGO_BIN_EXE_docker-credential-ecr-login"), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let as_somebody = || {
        let mut command = Command::new(&program);
        command.args(["setup", "docker", "--registry", REGISTRY]).env_clear().env("HOME", home.0.path());
        command.uid(54321).gid(54321);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let line = as_somebody();
    assert!(line.contains("belongs to the user with the id 0"), "{line}");
    assert_eq!(home.read(), "{}");
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let line = as_somebody();
    assert!(line.contains("cannot be read: Permission denied"), "{line}");
    std::os::unix::fs::chown(home.config(), Some(54321), Some(54321)).unwrap();
    fs::set_permissions(home.path(".docker"), fs::Permissions::from_mode(0o755)).unwrap();
    let line = as_somebody();
    assert!(line.contains("cannot be written: Permission denied"), "{line}");
    assert_eq!(home.read(), "{}");
    assert_eq!(home.names(), ["config.json"]);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let home = Home::new();
    fs::create_dir_all(home.config()).unwrap();
    assert!(home.refused(&["--registry", REGISTRY]).contains("not an ordinary file"));
    fs::remove_dir(home.config()).unwrap();
    assert!(Command::new("mkfifo").arg(home.config()).status().unwrap().success());
    assert!(home.refused(&["--registry", REGISTRY]).contains("not an ordinary file"));
    fs::remove_file(home.config()).unwrap();
    std::os::unix::fs::symlink("config.json", home.config()).unwrap();
    assert!(home.refused(&["--registry", REGISTRY]).contains("round in a circle"));
}

#[test]
fn a_name_that_is_not_ecr_is_refused() {
    let home = Home::with(b"{}");
    let line = home.refused(&["--registry", "ghcr.io"]);
    assert!(line.contains("ghcr.io is not the name of an Amazon ECR registry"), "{line}");
    assert_eq!(home.read(), "{}");
}

#[test]
fn a_name_as_people_paste_it_becomes_the_key_that_docker_compares() {
    let home = Home::with(b"{}");
    home.done(&["--registry", &format!("https://{}/team/app:1", REGISTRY.to_uppercase())]);
    assert_eq!(home.read(), format!("{{\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}"));
}

#[test]
fn dry_run_shows_the_difference_without_a_secret_and_changes_nothing() {
    let before = format!(
        "{{\n\t\"auths\": {{\n\t\t\"{REGISTRY}\": {{\n\t\t\t\"auth\": \"MARKED\"\n\t\t}}\n\t}},\n\t\"HttpHeaders\": {{\"Authorization\": \"MARKED\"}}\n}}"
    );
    let home = Home::with(before.as_bytes());
    let shown = home.done(&["--registry", REGISTRY, "--clean", "--dry-run", "--profile", "prod"]);
    assert!(shown.contains(&format!("+\t\t\"{REGISTRY}\": \"ecr-login\"")), "{shown}");
    assert!(shown.contains(&format!("-\t\t\"{REGISTRY}\": {{")), "{shown}");
    assert!(shown.contains("+profile = \"prod\""), "{shown}");
    assert!(!shown.contains("MARKED"), "{shown}");
    assert_eq!(home.read(), before);
    assert_eq!(home.names(), ["config.json"]);
    assert!(!home.settings().exists());
}

#[test]
fn old_logins_are_pointed_out_and_clean_takes_them_out() {
    let before = format!(
        "{{\n  \"auths\": {{\n    \"{REGISTRY}\": {{\"auth\": \"eA==\"}},\n    \"ghcr.io\": {{\"auth\": \"eQ==\"}},\n    \"https://{OTHER}\": {{}}\n  }}\n}}\n"
    );
    let home = Home::with(before.as_bytes());
    let said = home.done(&["--registry", REGISTRY]);
    assert!(said.contains(&format!("old login for {REGISTRY}, https://{OTHER}")), "{said}");
    assert!(home.read().contains("eA=="));
    home.done(&["--registry", REGISTRY, "--clean"]);
    let ours = format!("\"credHelpers\": {{\n    \"{REGISTRY}\": \"ecr-login\"\n  }}");
    assert_eq!(
        home.read(),
        format!("{{\n  \"auths\": {{\n    \"ghcr.io\": {{\"auth\": \"eQ==\"}}\n  }},\n  {ours}\n}}\n")
    );
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[test]
fn store_keeps_the_old_store_as_our_delegate() {
    let before = "{\n  \"auths\": {\"ghcr.io\": {}},\n  \"credsStore\": \"desktop\"\n}\n";
    let home = Home::with(before.as_bytes());
    home.done(&["--store"]);
    assert_eq!(home.read(), before.replace("desktop", "ecr-login"));
    let settings = fs::read_to_string(home.settings()).unwrap();
    assert!(settings.contains("delegate = \"desktop\""), "{settings}");
    assert!(home.done(&["--store"]).contains("nothing to do"));
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), settings);
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), "");
}

#[test]
fn store_does_not_hide_logins_that_nobody_else_keeps() {
    let before = "{\"auths\":{\"ghcr.io\":{\"auth\":\"eQ==\"}}}";
    let home = Home::with(before.as_bytes());
    let line = home.refused(&["--store"]);
    assert!(line.contains("ghcr.io") && line.contains("--registry"), "{line}");
    assert!(!line.contains("eQ=="));
    assert_eq!(home.read(), before);
}

#[test]
fn a_profile_goes_into_our_settings_file_and_its_comments_stay() {
    let home = Home::with(b"{}");
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    let before =
        "# mine\ntimeout = 20\n\n[[registry]] # all\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n";
    fs::write(home.settings(), before).unwrap();
    home.done(&["--registry", REGISTRY, "--profile", "prod", "--role-arn", "arn:aws:iam::123456789012:role/pull"]);
    let after = fs::read_to_string(home.settings()).unwrap();
    let entry = format!(
        "[[registry]]\nmatch = \"{REGISTRY}\"\nprofile = \"prod\"\nrole_arn = \"arn:aws:iam::123456789012:role/pull\"\n"
    );
    assert!(after.starts_with("# mine\ntimeout = 20\n"), "{after}");
    assert!(
        after.ends_with("[[registry]] # all\nmatch = \"*.dkr.ecr.*.amazonaws.com\"\nprofile = \"base\"\n"),
        "{after}"
    );
    assert!(after.contains(&entry), "{after}");
    home.done(&["--undo"]);
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), before);
    assert_eq!(home.read(), "{}");
}

#[test]
fn a_broken_settings_file_stops_setup_before_anything_is_written() {
    let home = Home::with(b"{}");
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    fs::write(home.settings(), "timeout = \"never\"\n").unwrap();
    let line = home.refused(&["--registry", REGISTRY, "--profile", "prod"]);
    assert!(line.contains("config.toml:1"), "{line}");
    assert_eq!(home.read(), "{}");
    assert_eq!(home.names(), ["config.json"]);
}

#[test]
fn without_names_every_account_of_the_aws_profiles_is_found() {
    let home = Home::with(b"{\"credHelpers\":{\"333333333333.dkr.ecr.eu-west-1.amazonaws.com\":\"other\"}}");
    fs::create_dir(home.path(".aws")).unwrap();
    let config = "[default]\nregion = eu-west-1\n\
                  [profile sso]\nsso_account_id = 111111111111\nregion = us-west-2\n\
                  [profile base]\nregion = eu-central-1\n\
                  [profile role]\nrole_arn = arn:aws:iam::222222222222:role/x\nsource_profile = base\n\
                  [profile kept]\nsso_account_id = 333333333333\n\
                  [profile china]\nsso_account_id = 444444444444\nregion = cn-north-1\n\
                  [profile odd]\nsso_account_id = 12\nrole_arn = nonsense\n";
    fs::write(home.path(".aws/config"), config).unwrap();
    // A docker that has images, and one that never answers as podman: neither may hold setup up.
    fs::create_dir(home.path("bin")).unwrap();
    #[cfg(unix)]
    for (client, script) in [
        ("docker", format!("#!/bin/sh\necho '<none>'\necho {OTHER}/app\necho ghcr.io/x/y\n")),
        ("podman", "#!/bin/sh\nexec /bin/sleep 600\n".to_owned()),
    ] {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(home.path("bin").join(client), script).unwrap();
        fs::set_permissions(home.path("bin").join(client), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let said = home.done(&[]);
    let config: serde_json::Value = serde_json::from_str(&home.read()).unwrap();
    let mut hosts: Vec<&str> = config["credHelpers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, helper)| *helper == "ecr-login")
        .map(|(host, _)| host.as_str())
        .collect();
    hosts.sort_unstable();
    let mut expected = vec![
        "111111111111.dkr.ecr.us-west-2.amazonaws.com",
        "222222222222.dkr.ecr.eu-central-1.amazonaws.com",
        "444444444444.dkr.ecr.cn-north-1.amazonaws.com.cn",
    ];
    if cfg!(unix) {
        expected.insert(2, OTHER);
    }
    expected.sort_unstable();
    assert_eq!(hosts, expected);
    assert!(said.contains("left to other"), "{said}");
}

#[test]
fn without_names_and_without_anything_found_the_remedy_is_said() {
    let home = Home::with(b"{}");
    let line = home.refused(&[]);
    assert!(line.contains("--registry"), "{line}");
    assert_eq!(home.read(), "{}");
}

#[test]
fn undo_of_one_registry_leaves_the_others_and_what_people_wrote_since() {
    let home = Home::with(b"{\n\t\"auths\": {}\n}\n");
    home.done(&["--registry", REGISTRY, "--registry", OTHER]);
    home.done(&["--undo", "--registry", OTHER]);
    let one = format!("{{\n\t\"auths\": {{}},\n\t\"credHelpers\": {{\n\t\t\"{REGISTRY}\": \"ecr-login\"\n\t}}\n}}\n");
    assert_eq!(home.read(), one);
    fs::write(home.config(), one.replace("\"auths\": {}", "\"auths\": {\"ghcr.io\": {}}")).unwrap();
    home.done(&["--undo"]);
    assert_eq!(home.read(), "{\n\t\"auths\": {\"ghcr.io\": {}}\n}\n");
    assert!(home.path(".docker/config.json.before-ecr-login").exists());
}

#[test]
fn undo_gives_a_registry_back_to_the_helper_it_had() {
    let before = format!("{{\"credHelpers\":{{\"{REGISTRY}\":\"other\",\"a.io\":\"b\"}}}}");
    let home = Home::with(before.as_bytes());
    home.done(&["--registry", REGISTRY]);
    assert_eq!(home.read(), before.replace("other", "ecr-login"));
    home.done(&["--undo"]);
    assert_eq!(home.read(), before);
}

#[test]
fn docker_config_and_file_name_another_place() {
    let home = Home::new();
    let mut command = home.command(&["--registry", REGISTRY]);
    command.env("DOCKER_CONFIG", home.path("elsewhere"));
    assert!(command.output().unwrap().status.success());
    assert!(home.path("elsewhere/config.json").exists());
    home.done(&["--registry", REGISTRY, "--file", "here.json"]);
    assert!(Path::new(&home.path("here.json")).exists());
    assert!(!home.config().exists());
}

#[test]
fn a_profile_speaks_for_registries_that_are_named_never_for_all_that_are_found() {
    let home = Home::with(b"{}");
    for arguments in
        [&["--profile", "prod"][..], &["--store", "--profile", "prod"], &["--store", "--registry", REGISTRY]]
    {
        let output = home.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(home.read(), "{}");
    assert!(!home.settings().exists());
}

#[test]
fn a_broken_settings_file_does_not_keep_the_clients_file_from_being_given_back() {
    let home = Home::with(b"{\"auths\":{}}");
    home.done(&["--registry", REGISTRY]);
    fs::create_dir_all(home.path(".config/ecr-login")).unwrap();
    fs::write(home.settings(), "broken").unwrap();
    let said = home.done(&["--undo"]);
    assert!(said.contains("left as it is"), "{said}");
    assert_eq!(home.read(), "{\"auths\":{}}");
    assert_eq!(fs::read_to_string(home.settings()).unwrap(), "broken");
}
