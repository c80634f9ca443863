//! The person's web browser: whether a page can be shown here, and how.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::credentials::command_line;
use crate::os::environment::Environment;
use crate::os::executable::on_path;

/// What opens a page on the desktop, in this order.
const OPENERS: &[&str] = if cfg!(target_os = "macos") {
    &["open"]
} else if cfg!(windows) {
    &["rundll32"]
} else {
    &["xdg-open", "x-www-browser", "gnome-open", "kde-open"]
};

/// A program that shows pages to the person who runs us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Browser {
    /// The program and its arguments; `%s` in one stands for the page.
    words: Vec<OsString>,
}

impl Browser {
    /// The browser of `BROWSER` (as Python's `webbrowser` and xdg-open read it: commands with a colon between, `%s` for
    /// the page), else the desktop's; `None` where no page can be shown: over SSH, without a display.
    pub(crate) fn find(environment: &Environment) -> Option<Self> {
        if let Some(named) = environment.var("BROWSER") {
            let commands = if cfg!(windows) { vec![named] } else { named.split(':').collect() };
            let words = commands.into_iter().filter_map(|command| command_line::split(command).ok());
            let mut found = words.filter(|words| on_path(environment, &words[0]).is_some());
            return found.next().map(|words| Self { words: words.into_iter().map(OsString::from).collect() });
        }
        if is_remote(environment) || !has_display(environment) {
            return None;
        }
        // WSL: the page belongs on Windows' desktop.
        let of_wsl = environment.var("WSL_DISTRO_NAME").map(|_| "wslview");
        let opener =
            of_wsl.into_iter().chain(OPENERS.iter().copied()).find(|name| on_path(environment, name).is_some())?;
        let mut words = vec![OsString::from(opener)];
        if cfg!(windows) {
            words.push("url.dll,FileProtocolHandler".into());
        }
        Some(Self { words })
    }

    /// Starts it for this page. It goes on by itself: neither our end nor a Ctrl-C in the terminal ends it.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn open(&self, url: &str) -> std::io::Result<()> {
        let mut words: Vec<OsString> = self.words.clone();
        let mut is_in = false;
        for word in words.iter_mut().skip(1) {
            if let Some(text) = word.to_str().filter(|text| text.contains("%s")) {
                *word = text.replace("%s", url).into();
                is_in = true;
            }
        }
        if !is_in {
            words.push(url.into());
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().map(|_goes_on| ())
    }
}

/// Whether the person sits at another machine.
pub(crate) fn is_remote(environment: &Environment) -> bool {
    ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].iter().any(|name| environment.var_os(name).is_some())
}

fn has_display(environment: &Environment) -> bool {
    cfg!(any(windows, target_os = "macos"))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(|name| environment.var_os(name).is_some())
}

/// Whether a page that a service names may be opened: over TLS, or on this host for tests; no option and no other
/// program's scheme, and nothing that misleads whoever reads it.
pub(crate) fn is_page(url: &str) -> bool {
    let plain =
        url.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b'<' | b'>'));
    plain && (url.starts_with("https://") || is_loopback(url))
}

/// Plain HTTP to this host.
fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_over_tls_or_of_this_host_are_opened() {
        for url in
            ["https://device.sso.eu-west-1.amazonaws.com/?user_code=A-B", "http://127.0.0.1:80/x", "http://[::1]/"]
        {
            assert!(is_page(url), "{url}");
        }
        for url in [
            "http://example.com/",
            "file:///etc/passwd",
            "--version",
            "javascript:x",
            "https://a b",
            "https://a\u{1b}[2J",
            "http://127.0.0.1@example.com/",
            "http://127.0.0.1.example.com/",
            "",
            "https://x/`id`",
        ] {
            assert!(!is_page(url), "{url}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn over_ssh_and_without_a_display_there_is_no_browser_but_a_named_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        for name in ["xdg-open", "mine"] {
            let path = directory.path().join(name);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = directory.path().to_str().unwrap();
        let found = |variables: &[(&str, &str)]| {
            let variables = variables.iter().copied().chain([("PATH", path)]);
            Browser::find(&Environment::of(variables)).map(|browser| browser.words)
        };
        let words = |words: &[&str]| Some(words.iter().map(OsString::from).collect::<Vec<_>>());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(found(&[("DISPLAY", ":0")]), words(&["xdg-open"]));
            assert_eq!(found(&[]), None, "no display");
        }
        assert_eq!(found(&[("DISPLAY", ":0"), ("SSH_CONNECTION", "1 2 3 4")]), None, "over SSH");
        assert_eq!(found(&[("BROWSER", "none:mine --new '%s'"), ("SSH_TTY", "x")]), words(&["mine", "--new", "%s"]));
        assert_eq!(found(&[("BROWSER", "none"), ("DISPLAY", ":0")]), None, "the named one is not there");
    }
}
