//! Names to addresses.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;

use super::progress::{Phase, Progress};

/// Why a name did not resolve.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The system's resolver said so.
    #[error("{0}")]
    System(String),
}

/// The resolver, as hyper's connector calls it.
#[derive(Clone, Debug)]
pub struct Resolver {
    progress: Progress,
}

impl Resolver {
    /// A resolver that says when it is waiting.
    pub fn new(progress: Progress) -> Self {
        Self { progress }
    }
}

impl tower_service::Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let progress = self.progress.clone();
        Box::pin(async move {
            progress.at(Phase::Name, name.as_str());
            let found: Result<Vec<_>, _> = tokio::net::lookup_host((name.as_str(), 0)).await.map(Iterator::collect);
            progress.at(Phase::Connect, name.as_str());
            found.map(Vec::into_iter).map_err(|e| Error::System(e.to_string()))
        })
    }
}
