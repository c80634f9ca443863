//! The kubelet that runs here, by `/proc`: with which flags it was started.

use std::path::{Path, PathBuf};

const CONFIG_FLAG: &str = "image-credential-provider-config";
const BIN_DIR_FLAG: &str = "image-credential-provider-bin-dir";

/// Programs that are a kubelet, or have one in them.
const PROGRAMS: [&str; 3] = ["kubelet", "k3s", "rke2"];

/// A kubelet that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// Its program: k3s and RKE2 have the kubelet in their own, and know both paths without a flag.
    pub(super) program: String,
    pub(super) pid: u32,
    /// `--image-credential-provider-config`.
    pub(super) config: Option<PathBuf>,
    /// `--image-credential-provider-bin-dir`.
    pub(super) bin_dir: Option<PathBuf>,
}

/// The first kubelet among the processes of `proc`.
pub(super) fn find(proc: &Path) -> Option<Running> {
    let mut pids: Vec<u32> = numbers(proc);
    pids.sort_unstable();
    pids.into_iter().find_map(|pid| {
        let words = std::fs::read(proc.join(pid.to_string()).join("cmdline")).ok()?;
        let words: Vec<String> =
            words.split(|byte| *byte == 0).map(|it| String::from_utf8_lossy(it).into_owned()).collect();
        of_command_line(pid, &words)
    })
}

/// Not by the standard library's listing, which panics where a directory cannot be closed.
#[cfg(unix)]
fn numbers(proc: &Path) -> Vec<u32> {
    use rustix::fs::{Dir, Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(listed) = rustix::fs::open(proc, flags, Mode::empty()).and_then(Dir::new) else { return Vec::new() };
    let names = listed.filter_map(Result::ok);
    names.filter_map(|found| found.file_name().to_str().ok()?.parse().ok()).collect()
}

#[cfg(not(unix))]
fn numbers(_proc: &Path) -> Vec<u32> {
    Vec::new()
}

fn of_command_line(pid: u32, words: &[String]) -> Option<Running> {
    let (first, rest) = words.split_first()?;
    // k3s names its process "/usr/local/bin/k3s server".
    let program = first.split(' ').next().and_then(|path| path.rsplit('/').next())?;
    let program = PROGRAMS.into_iter().find(|name| *name == program)?;
    let own = first.split(' ').skip(1).map(str::to_owned);
    let words: Vec<String> = own.chain(rest.iter().cloned()).collect();
    let has_kubelet = program == "kubelet" || words.iter().any(|word| ["server", "agent"].contains(&word.as_str()));
    let path = |flag| value(&words, flag).map(PathBuf::from);
    has_kubelet.then(|| Running {
        program: program.to_owned(),
        pid,
        config: path(CONFIG_FLAG),
        bin_dir: path(BIN_DIR_FLAG),
    })
}

/// The value of a flag: `--flag=value`, `--flag value`, and `flag=value` behind k3s's `--kubelet-arg`.
fn value<'w>(words: &'w [String], flag: &str) -> Option<&'w str> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let bare = word.strip_prefix("--kubelet-arg=").unwrap_or(word).trim_start_matches('-');
        if let Some(rest) = bare.strip_prefix(flag) {
            match rest.strip_prefix('=') {
                Some(value) => return Some(value),
                None if rest.is_empty() => return words.next().map(String::as_str),
                None => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Running> {
        let words: Vec<String> = line.split('|').map(str::to_owned).collect();
        of_command_line(7, &words)
    }

    #[test]
    fn the_flags_of_each_kind_of_kubelet() {
        let both = |program: &str| Running {
            program: program.to_owned(),
            pid: 7,
            config: Some("/etc/c.yaml".into()),
            bin_dir: Some("/opt/bin".into()),
        };
        for (line, program) in [
            (
                "/usr/bin/kubelet|--v=2|--image-credential-provider-config=/etc/c.yaml|--image-credential-provider-bin-dir=/opt/bin",
                "kubelet",
            ),
            (
                "kubelet|--image-credential-provider-config|/etc/c.yaml|--image-credential-provider-bin-dir|/opt/bin",
                "kubelet",
            ),
            (
                "/usr/local/bin/k3s server|--kubelet-arg=image-credential-provider-config=/etc/c.yaml|--kubelet-arg|\
                 image-credential-provider-bin-dir=/opt/bin",
                "k3s",
            ),
            (
                "/usr/local/bin/rke2|agent|--image-credential-provider-config=/etc/c.yaml|\
                 --image-credential-provider-bin-dir=/opt/bin",
                "rke2",
            ),
        ] {
            assert_eq!(of(line), Some(both(program)), "{line}");
        }
        assert_eq!(of("/usr/bin/kubelet|--v=2").map(|it| (it.config, it.bin_dir)), Some((None, None)));
        for line in ["/usr/local/bin/k3s|kubectl|get", "vi|kubelet", "", "/usr/bin/kubelet-wrapper"] {
            assert_eq!(of(line), None, "{line}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_kubelet_is_found_among_the_processes() {
        let proc = tempfile::tempdir().unwrap();
        for (pid, line) in [("12", "sh\0-c\0x\0"), ("240", "/usr/bin/kubelet\0--v=2\0"), ("self", "kubelet\0")] {
            std::fs::create_dir(proc.path().join(pid)).unwrap();
            std::fs::write(proc.path().join(pid).join("cmdline"), line).unwrap();
        }
        assert_eq!(find(proc.path()).map(|running| running.pid), Some(240));
        assert_eq!(find(Path::new("/no/such")), None);
    }
}
