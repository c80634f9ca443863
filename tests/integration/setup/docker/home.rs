//! A home with a config.json in it, and the real binary run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(crate::support::empty_home())
    }

    pub fn with(bytes: &[u8]) -> Self {
        let home = Self::new();
        fs::create_dir(home.path(".docker")).unwrap();
        fs::write(home.config(), bytes).unwrap();
        home
    }

    pub fn directory(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name).components().collect()
    }

    pub fn config(&self) -> PathBuf {
        self.path(".docker/config.json")
    }

    pub fn settings(&self) -> PathBuf {
        self.path(".config/ecr-login/config.toml")
    }

    /// Puts the program on PATH.
    pub fn install(&self) {
        let folder = self.path("bin");
        fs::create_dir_all(&folder).unwrap();
        let name = if cfg!(windows) { "docker-credential-ecr-login.exe" } else { "docker-credential-ecr-login" };
        crate::support::copy_binary(&folder.join(name));
    }

    /// Adds a profile with keys to the AWS files.
    pub fn aws_profile(&self, name: &str) {
        let path = self.path(".aws/credentials");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let keys = format!("[{name}]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = example\n");
        fs::write(&path, fs::read_to_string(&path).unwrap_or_default() + &keys).unwrap();
    }

    pub fn read(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(crate::support::binary());
        command.args(["setup", "docker"]).args(arguments).env_clear().current_dir(self.0.path());
        command.envs(crate::support::home_variables(self.0.path()));
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("PATH", self.path("bin"));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a setup that must succeed; what it said on stdout.
    pub fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a setup that must fail with one line on stderr, which it gives back.
    pub fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty());
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(".docker"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}
