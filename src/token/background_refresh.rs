//! The background process that refreshes a token before it expires, so that no call waits for it.

use std::process::{Command, ExitCode, Stdio};

use super::{FetchMode, RequestContext, TokenRequest, token};
use crate::aws::retry::RetryPolicy;
use crate::os::deadline::Deadline;
use crate::os::environment::Environment;
use crate::settings::{DEFAULT_TIMEOUT, Settings, call_timeout};

/// The action, not meant for people, under which the binary runs itself: `refresh-in-background REGISTRY`.
pub const ACTION: &str = "refresh-in-background";

/// Starts the process. All its streams are null, or the client that reads our output would wait for it. It calls
/// setsid(2) by itself, since a fork to do it here would cost twice the spawn.
pub(super) fn start(registry: &str) -> bool {
    let Ok(ourselves) = std::env::current_exe() else { return false };
    let mut command = Command::new(ourselves);
    // The parent may run under the name of the kubelet's plugin.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::arg0(&mut command, crate::PROGRAM);
    #[cfg(windows)]
    {
        /// No console, so that no window appears and none's end or Ctrl-C is ours (`CreateProcessW`, process creation flags).
        const DETACHED_PROCESS: u32 = 0x0000_0008;
        const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
        std::os::windows::process::CommandExt::creation_flags(
            &mut command,
            DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP,
        );
    }
    command.arg(ACTION).arg(registry).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

/// What the detached process does: leads a session of its own, so that no terminal's signals reach it, and
/// refreshes the token of `registry` unless another process does or has.
pub fn run(environment: Environment, registry: &str) -> ExitCode {
    #[cfg(unix)]
    let _ = rustix::process::setsid();
    let Ok(settings) = Settings::load(&environment) else { return ExitCode::FAILURE };
    let Some(target) = settings.target(registry).filter(|target| !target.credentials.anonymous) else {
        return ExitCode::FAILURE;
    };
    let Ok(limit) = call_timeout(&environment, Some(&settings), DEFAULT_TIMEOUT) else { return ExitCode::FAILURE };
    let call = RequestContext { environment, settings, deadline: Deadline::within(limit), shared_credentials: None };
    let request = TokenRequest {
        target: &target,
        service_account: None,
        mode: FetchMode::BackgroundRefresh,
        retry: RetryPolicy::Interactive,
    };
    match token(&call, &request) {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
