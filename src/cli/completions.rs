//! `completions`: from the definition to each shell's own language; and what the shells then ask for at each TAB: the
//! names of registries and profiles, by files alone.

use std::ffi::OsStr;
use std::process::ExitCode;

use clap_complete::shells;

use super::arguments::{Completions, Shell, definition};
use super::{configured, terminal};
use crate::PROGRAM;
use crate::cache::Cache;
use crate::credentials::{profile_accounts, profile_names};
use crate::os::environment::Environment;
use crate::os::secret;
use crate::registry::Registry;
use crate::settings::Settings;

/// Prints the completions of one shell.
pub(super) fn run(wanted: Completions) -> ExitCode {
    terminal::write_stdout(&script(wanted.shell))
}

/// What the scripts below run: `__names registries`, `__names profiles`.
pub(super) const NAMES: &str = "__names";

/// Prints the names that a shell may complete, one a line. What stands in a file reaches a shell here, so that only words
/// without any meaning to one are said.
pub(super) fn names(kind: &OsStr, environment: &Environment) -> ExitCode {
    // Clients' files may hold logins in plain text.
    secret::wipe_what_is_freed();
    let names = match kind.to_str() {
        Some("profiles") => profile_names(environment),
        Some("registries") => {
            let mut names = configured::registries(environment, &Settings::load(environment).unwrap_or_default());
            let cache = Cache::open(environment);
            names.extend(cache.iter().flat_map(|cache| [cache.registries(), cache.served()].concat()));
            let accounts = profile_accounts(environment).into_iter();
            let own = accounts.filter_map(|own| Registry::of(&own.account, &own.region));
            names.extend(own.map(|registry| registry.host().to_owned()));
            names.sort_unstable();
            names.dedup();
            names
        }
        _ => return ExitCode::from(2),
    };
    let is_plain = |name: &&String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@+".contains(&byte));
    terminal::write_stdout(&names.iter().filter(is_plain).map(|name| format!("{name}\n")).collect::<String>())
}

/// The completions of the definition, with the names put in where a registry or a profile is wanted.
fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    let mut definition = definition();
    match shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut definition, PROGRAM, &mut text),
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut definition, PROGRAM, &mut text),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut definition, PROGRAM, &mut text),
        Shell::Powershell => clap_complete::generate(shells::PowerShell, &mut definition, PROGRAM, &mut text),
        Shell::Elvish => clap_complete::generate(shells::Elvish, &mut definition, PROGRAM, &mut text),
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    match shell {
        Shell::Bash => format!("{}\n{BASH_NAMES}", with_one_name(&text)),
        Shell::Zsh => with_names_for_zsh(&text),
        Shell::Fish => format!("{text}{FISH_NAMES}"),
        Shell::Powershell | Shell::Elvish => text,
    }
}

/// clap_complete 4.6 calls a program with hyphens in its name in two ways, `a__b` where it sets the command and `a__subcmd__b`
/// where it looks for it, so that no option of a command would ever be completed.
fn with_one_name(text: &str) -> String {
    text.replace(&PROGRAM.replace('-', "__subcmd__"), &PROGRAM.replace('-', "__"))
}

/// The generated function first, then names where one is wanted: `compgen -W` would expand what a file says.
const BASH_NAMES: &str = r#"_docker_credential_ecr_login_names() {
    _docker__credential__ecr__login "$@"
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" kind= name
    case "$prev" in
        --profile) kind=profiles ;;
        --registry) kind=registries ;;
        -*) ;;
        *)
            [[ $cur == -* || $COMP_CWORD -lt 2 ]] || case "${COMP_WORDS[1]}" in
                doctor|login|clear|warm|password|get-login-password) kind=registries ;;
                setup) case "${COMP_WORDS[2]}" in docker|podman) [[ $COMP_CWORD -lt 3 ]] || kind=registries ;; esac ;;
            esac ;;
    esac
    [[ -n $kind ]] || return 0
    [[ $prev == --* ]] && COMPREPLY=()
    while IFS= read -r name; do
        [[ $name == "$cur"* ]] && COMPREPLY+=("$name")
    done < <(docker-credential-ecr-login __names "$kind" 2>/dev/null)
}
complete -F _docker_credential_ecr_login_names -o bashdefault docker-credential-ecr-login
"#;

/// For fish: the generated conditions, with names.
const FISH_NAMES: &str = r#"
for command in doctor login clear warm password get-login-password
    complete -c docker-credential-ecr-login -n "__fish_docker_credential_ecr_login_using_subcommand $command" -f -a "(docker-credential-ecr-login __names registries 2>/dev/null)"
end
complete -c docker-credential-ecr-login -n "__fish_docker_credential_ecr_login_using_subcommand login" -l profile -x -a "(docker-credential-ecr-login __names profiles 2>/dev/null)"
for client in docker podman
    set -l condition "__fish_docker_credential_ecr_login_using_subcommand setup; and __fish_seen_subcommand_from $client"
    complete -c docker-credential-ecr-login -n "$condition" -f -a "(docker-credential-ecr-login __names registries 2>/dev/null)"
    complete -c docker-credential-ecr-login -n "$condition" -l registry -x -a "(docker-credential-ecr-login __names registries 2>/dev/null)"
    complete -c docker-credential-ecr-login -n "$condition" -l profile -x -a "(docker-credential-ecr-login __names profiles 2>/dev/null)"
end
"#;

/// The functions that the script's own lines are led to.
const ZSH_NAMES: &str = r#"_docker_credential_ecr_login_names() {
    local -a names
    names=("${(@f)$(docker-credential-ecr-login __names $1 2>/dev/null)}")
    [[ -n $names ]] && compadd -a names
}
_docker_credential_ecr_login_registries() { _docker_credential_ecr_login_names registries }
_docker_credential_ecr_login_profiles() { _docker_credential_ecr_login_names profiles }

"#;

/// In zsh each argument says by which function it is completed.
fn with_names_for_zsh(text: &str) -> String {
    const ANYTHING: &str = ":_default";
    let mut script = String::with_capacity(text.len() + ZSH_NAMES.len());
    for line in text.lines() {
        // Before what runs the completion: the functions must be there then.
        if line.starts_with("if [ \"$funcstack") {
            script.push_str(ZSH_NAMES);
        }
        let is_registry =
            line.contains("--registry=") || line.trim_start_matches(['\'', ':', '*']).starts_with("registry");
        let completed_by = match is_registry {
            true => Some(":_docker_credential_ecr_login_registries"),
            false if line.contains("--profile=") => Some(":_docker_credential_ecr_login_profiles"),
            false => None,
        };
        match completed_by {
            Some(function) => script.push_str(&line.replace(ANYTHING, function)),
            None => script.push_str(line),
        }
        script.push('\n');
    }
    script
}
