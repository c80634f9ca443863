//! The kubelet of a node: its configuration, the plugin that it would run, which images it asks it for, and the flags that it
//! runs with. And a request of its kind, played by hand.

mod image;
mod process;
mod provider;

use std::path::{Path, PathBuf};

use super::report::{State, Step};
use crate::PROGRAM;
use crate::cli::arguments::Doctor;
use crate::cli::setup::kubelet::usual_paths;
use crate::os::executable::is_executable;
use process::Running;
use provider::Provider;

pub(super) use image::play;

const NAME: &str = "kubelet";

/// What was found of the kubelet.
pub(super) struct Node {
    /// One that runs.
    running: Option<Running>,
    config: PathBuf,
    bin_dir: PathBuf,
    /// Whether an argument names the configuration, or a kubelet reads it, or it is there.
    is_node: bool,
    provider: Result<Provider, String>,
}

impl Node {
    /// Looks at the processes, and at the files that the arguments name, else those that the kubelet's flags name, else those
    /// where the distributions have them.
    pub(super) fn find(wanted: &Doctor) -> Self {
        let running = process::find(Path::new("/proc"));
        let (usual_config, usual_bin_dir) = usual_paths();
        let of_flags = running.as_ref();
        let config = wanted.config.clone().or_else(|| of_flags?.config.clone()).unwrap_or(usual_config);
        let bin_dir = wanted.bin_dir.clone().or_else(|| of_flags?.bin_dir.clone()).unwrap_or(usual_bin_dir);
        let is_node = wanted.config.is_some() || running.is_some() || config.exists();
        let provider = provider::find(&config);
        Self { running, config, bin_dir, is_node, provider }
    }

    /// Whether a kubelet runs here: then a fault of its configuration is one of this machine's pulls.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether the kubelet's pulls are what is asked about: one runs, it is named, its configuration is there and right for
    /// `registry`, or its request is to be played.
    pub(super) fn counts(&self, wanted: &Doctor, registry: &str) -> bool {
        let is_named = wanted.config.is_some() || wanted.image.is_some();
        self.is_running() || is_named || self.is_node && self.step(Some(registry)).state == State::Ok
    }

    /// Whether there are files of a kubelet here, or one runs.
    pub(super) fn is_here(&self) -> bool {
        self.is_node
    }

    /// What the kubelet would do for an image of `registry`, or for any.
    pub(super) fn step(&self, registry: Option<&str>) -> Step {
        if !self.is_node {
            let config = self.config.display();
            return Step::skipped(NAME, format!("no kubelet runs here, and {config} is not there"));
        }
        let provider = match &self.provider {
            Ok(provider) => provider,
            Err(reason) => return Step::wrong(NAME, reason.as_str(), self.setup()),
        };
        let plugin = self.bin_dir.join(&provider.name);
        let file = provider.file.display();
        if !is_executable(&plugin) {
            let found = format!("{file} names {}, and {} is no executable", provider.name, plugin.display());
            return Step::wrong(NAME, found, self.setup());
        }
        if provider.lacks_argument() {
            return Step::wrong(NAME, format!("{file}: the provider {PROGRAM} lacks args: [kubelet]"), self.setup());
        }
        if let Some(registry) = registry.filter(|registry| !provider.matches(registry)) {
            let found = format!("{file}: no entry of matchImages matches {registry}");
            return Step::wrong(NAME, found, format!("add \"{registry}\" to matchImages of {} there", provider.name));
        }
        let running = match &self.running {
            None => "; no kubelet runs here".to_owned(),
            Some(running) => match self.flags(running) {
                Ok(said) => said,
                Err(found) => return Step::wrong(NAME, found, self.flags_wanted(running)),
            },
        };
        let images = if registry.is_some() { "matchImages matches" } else { "names it" };
        Step::ok(NAME, format!("{file}: {images}, {} is there{running}", plugin.display()))
    }

    /// Whether the kubelet that runs reads the files that were looked at.
    fn flags(&self, running: &Running) -> Result<String, String> {
        let who = format!("{} (process {})", running.program, running.pid);
        // k3s and RKE2 give the flags to their kubelet themselves, if both are where they look for them.
        if running.program != "kubelet"
            && running.config.is_none()
            && (self.config.clone(), self.bin_dir.clone()) == usual_paths()
        {
            return Ok(format!(", where {who} looks"));
        }
        for (flag, given, looked_at) in [
            ("--image-credential-provider-config", &running.config, &self.config),
            ("--image-credential-provider-bin-dir", &running.bin_dir, &self.bin_dir),
        ] {
            match given {
                None => return Err(format!("{who} was started without {flag}, so it runs no plugin")),
                Some(given) if given != looked_at => {
                    return Err(format!(
                        "{who} was started with {flag}={}, not {}",
                        given.display(),
                        looked_at.display()
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(format!(", and {who} has the flags"))
    }

    fn flags_wanted(&self, running: &Running) -> String {
        format!(
            "start {} with --image-credential-provider-config={} and --image-credential-provider-bin-dir={}",
            running.program,
            self.config.display(),
            self.bin_dir.display()
        )
    }

    fn setup(&self) -> String {
        let (config, bin_dir) = (self.config.display(), self.bin_dir.display());
        let (usual_config, usual_bin_dir) = usual_paths();
        if (&self.config, &self.bin_dir) == (&usual_config, &usual_bin_dir) {
            format!("run as root: {PROGRAM} setup kubelet")
        } else {
            format!("run as root: {PROGRAM} setup kubelet --config {config} --bin-dir {bin_dir}")
        }
    }
}
