//! What lies outside of variables and files and still decides which credentials a source gives.

use super::CredentialSource;
use super::aws_env::AwsEnv;
use super::process_context::ProcessContext;
use super::profile_files::ProfileFiles;
use crate::os::{boot_id, network_namespace};

/// The host, for sources whose credentials depend on it. `None`: not known, or without influence.
#[derive(Debug, Default)]
pub(super) struct HostContext<'a> {
    /// The kernel's id of this boot, which no other machine and no image of this one has.
    pub(super) boot: Option<String>,
    /// The kernel's cookie of the network namespace, since 169.254.169.254, 127.0.0.1 and every name may lead to others in
    /// another.
    pub(super) network: Option<u64>,
    /// The inputs of a command.
    pub(super) process: Option<ProcessContext<'a>>,
}

impl<'a> HostContext<'a> {
    /// This process's, as far as `source` depends on it.
    pub(super) fn of(source: &CredentialSource, variables: &AwsEnv<'a>, files: &ProfileFiles<'a>) -> Self {
        let here = |process| Self { boot: boot_id::id(), network: network_namespace::cookie(), process };
        match source {
            CredentialSource::AssumeRole { base, .. } => Self::of(base, variables, files),
            CredentialSource::CredentialProcess { command, .. } => {
                let process = ProcessContext::of(command.expose(), variables.environment, files.texts);
                if process.depends_on_host {
                    here(Some(process))
                } else {
                    Self { process: Some(process), ..Self::default() }
                }
            }
            CredentialSource::Container { .. } | CredentialSource::Imds { .. } => here(None),
            CredentialSource::RequestedWebIdentity { request, .. } if request.depends_on_host() => here(None),
            _ => Self::default(),
        }
    }
}
