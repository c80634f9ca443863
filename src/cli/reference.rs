//! What the man page has beyond commands and options: environment, files, exit status and examples.

use std::io::{self, Write};

use crate::PROGRAM;

/// The environment variables of the program's own, and those of the Go helper that it honours.
const ENVIRONMENT: [(&str, &str); 11] = [
    (
        "AWS_PROFILE, AWS_REGION, AWS_...",
        "Credentials, profiles, endpoints and certificates, as the AWS CLI reads them.",
    ),
    ("AWS_ECR_CACHE_DIR", "The directory in which the cache directory ecr-login is made."),
    ("AWS_ECR_DISABLE_CACHE", "Not empty: no token is cached."),
    ("ECR_LOGIN_CONFIG", "The settings file."),
    ("ECR_LOGIN_TIMEOUT", "Seconds for a whole call; the default is 10, and 45 for the kubelet."),
    ("ECR_LOGIN_STRICT", "1: a failure stops the client, which otherwise goes on without a password."),
    ("ECR_LOGIN_REFRESH", "1: fetch a new token instead of the cached one."),
    ("ECR_LOGIN_BACKGROUND", "0: no background process refreshes tokens."),
    ("ECR_LOGIN_LOG, ECR_LOGIN_LOG_FILE", "Log level (error, warn, info, debug, trace) and log file."),
    ("DOCKER_CONFIG, REGISTRY_AUTH_FILE", "Where docker's and podman's files are, as these read it."),
    ("NO_COLOR, TERM", "NO_COLOR set: no colours. TERM=dumb: no escape sequences at all."),
];

/// By people, by registry clients, by the kubelet.
const SYNOPSIS: [(&str, &str); 4] = [
    (PROGRAM, r"\fICOMMAND\fR [\fIARGUMENT\fR]..."),
    (PROGRAM, r"\fBget\fR | \fBstore\fR | \fBerase\fR | \fBlist\fR | \fBversion\fR"),
    (PROGRAM, r"\fBkubelet\fR"),
    ("ecr-credential-provider", ""),
];

/// The files that the program reads and writes.
const FILES: [(&str, &str); 6] = [
    ("~/.config/ecr-login/config.toml, /etc/ecr-login/config.toml", "Settings; the first that exists is read."),
    ("~/.cache/ecr-login/", "Cached tokens, readable by their owner alone."),
    ("~/.aws/config, ~/.aws/credentials, ~/.aws/sso/cache/", "Profiles and logins of the AWS CLI."),
    ("~/.docker/config.json", "Edited by setup docker."),
    ("~/.config/containers/auth.json", "Edited by setup podman."),
    (
        "/etc/kubernetes/credential-provider/config.json, /etc/eks/image-credential-provider/config.json, \
         /var/lib/rancher/credentialprovider/config.yaml",
        "The kubelet's CredentialProviderConfig, edited by setup kubelet; which one, depends on the distribution.",
    ),
];

/// The exit codes.
const EXIT_STATUS: [(&str, &str); 3] = [
    ("0", "The command did what it was asked to, and its answer was delivered."),
    (
        "1",
        "It failed; for get also: there are no credentials for this registry. For doctor: a pull would fail. The reason \
         is on stderr.",
    ),
    ("2", "The arguments are wrong."),
];

/// Commands that people start with.
const EXAMPLES: [(&str, &str); 5] = [
    (
        "docker-credential-ecr-login setup docker",
        "Make docker use this helper for the registries that your AWS profiles name.",
    ),
    ("docker-credential-ecr-login doctor", "Find out why a pull fails."),
    (
        "docker-credential-ecr-login doctor --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/app:1",
        "On a node, as root: find out why the kubelet cannot pull an image.",
    ),
    (
        "docker-credential-ecr-login status",
        "Show the identity that would be used for each registry, and how long its token is good.",
    ),
    (
        "docker-credential-ecr-login password REGISTRY | helm registry login --username AWS --password-stdin REGISTRY",
        "Log in with a tool that knows no credential helpers.",
    ),
];

/// The page's head, whose parts have room beside one another on 78 columns.
pub(super) fn write_title(page: &mut impl Write) -> io::Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    writeln!(
        page,
        ".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n.TH {PROGRAM} 1 \"\" \"{version}\" \"ecr\\-login\"\n.ad l\n.nh"
    )
}

/// How it is called, by people and by programs.
pub(super) fn write_synopsis(page: &mut impl Write) -> io::Result<()> {
    writeln!(page, ".SH SYNOPSIS")?;
    for (program, rest) in SYNOPSIS {
        writeln!(page, "\\fB{}\\fR {}\n.br", escaped(program), rest.replace('-', "\\-"))?;
    }
    Ok(())
}

/// Writes the sections in roff.
pub(super) fn write_sections(page: &mut impl Write) -> io::Result<()> {
    for (title, rows) in [
        ("EXIT STATUS", &EXIT_STATUS[..]),
        ("ENVIRONMENT", &ENVIRONMENT[..]),
        ("FILES", &FILES[..]),
        ("EXAMPLES", &EXAMPLES[..]),
    ] {
        writeln!(page, ".SH \"{title}\"")?;
        for (term, text) in rows {
            writeln!(page, ".TP\n\\fB{}\\fR\n{}", escaped(term), escaped(text))?;
        }
    }
    writeln!(page, ".SH \"SEE ALSO\"\n.BR docker (1),\n.BR podman (1),\n.BR containers\\-auth.json (5)")
}

/// Text of roff: hyphens that can be copied, and no line that begins with a control character.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('-', "\\-").replace('~', "\\(ti").replace('\'', "\\(aq")
}
