//! A connection that is made before the request that needs it: to ECR's host, while STS or the SSO portal is asked for
//! credentials. Name, TCP and TLS then cost no time of their own.
//!
//! - It is begun once for a call, where credentials are sure to come over the network, by the same rules as any other
//!   connection (proxy, certificates, time limits).
//! - The first request to its host takes it, and waits for it if it is not ready. One that the server has closed meanwhile
//!   is left, and another is made.
//! - Its failure counts as that request's own. A call that needs no connection to ECR after all does not hear of it.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use tokio::task::JoinHandle;

use super::connect_error::ConnectError;
use super::connector::Conn;
use super::progress::Progress;

/// The connection that was begun, if there is one. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Preconnect(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    NotBegun,
    Begun(Attempt),
    Taken,
}

struct Attempt {
    uri: Uri,
    progress: Progress,
    connecting: JoinHandle<Result<Conn, ConnectError>>,
}

impl Preconnect {
    /// Begins `connecting`, a connection to the host of `uri` that notes its steps in `progress`; nothing where one was
    /// begun before.
    pub(super) fn begin(
        &self,
        uri: Uri,
        progress: Progress,
        connecting: impl Future<Output = Result<Conn, ConnectError>> + Send + 'static,
    ) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::NotBegun) {
            *state = State::Begun(Attempt { uri, progress, connecting: tokio::spawn(connecting) });
        }
    }

    /// The connection to the host of `uri`, or why there is none; `None` where none was begun, it was taken before, or it
    /// has gone stale. Meanwhile its steps are noted in `progress`.
    pub(super) async fn take(&self, uri: &Uri, progress: &Progress) -> Option<Result<Conn, ConnectError>> {
        let attempt = self.attempt(uri)?;
        attempt.progress.report_to(progress);
        match attempt.connecting.await.ok()? {
            Ok(mut connection) => {
                // What has arrived is looked at before the connection is.
                tokio::task::yield_now().await;
                let open = poll_fn(|context| connection.poll_open(context)).await;
                open.then_some(Ok(connection))
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn attempt(&self, uri: &Uri) -> Option<Attempt> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |begun: &Uri| begun.scheme() == uri.scheme() && begun.authority() == uri.authority();
        if !matches!(&*state, State::Begun(attempt) if same(&attempt.uri)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Taken) {
            State::Begun(attempt) => Some(attempt),
            _ => None,
        }
    }
}
