//! Credentials that several registries of one `warm` have in common: asked for once, whatever their regions.
//!
//! The first registry of a credential source asks; the others take what it gets. Where it fails, or takes long, each asks for
//! itself: the STS of another region may answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use tokio::sync::watch;

use crate::aws::client::AwsContext;
use crate::credentials::{CredentialSource, EndpointConfig};
use crate::text::user_error::UserError;

/// How long credentials that another registry asked for are waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What the first has come to.
#[derive(Clone, Debug)]
enum Progress {
    /// It has sent no request yet.
    Begun,
    /// It asks STS or the SSO portal.
    Asking,
    Done(Credentials),
    Failed,
}

/// What makes credentials the same: the source, and by which endpoints and in which partition it is asked.
#[derive(Debug)]
struct Origin {
    source: CredentialSource,
    endpoints: EndpointConfig,
    partition: &'static str,
    progress: watch::Receiver<Progress>,
}

/// The credentials of one command.
#[derive(Debug, Default)]
pub struct SharedCredentials(Mutex<Vec<Origin>>);

/// The first registry of a source; the others hear of each step.
#[derive(Debug)]
pub(in crate::aws) struct Sharing(watch::Sender<Progress>);

impl Sharing {
    /// The source is being asked now.
    pub(in crate::aws) fn asking(&self) {
        self.0.send_replace(Progress::Asking);
    }
}

impl SharedCredentials {
    /// The credentials of `source`, asked for here or by another registry of the same command.
    ///
    /// # Errors
    /// As [`super::of`].
    pub(in crate::aws) async fn of(
        &self,
        source: &CredentialSource,
        aws: &AwsContext<'_>,
    ) -> Result<Credentials, UserError> {
        match self.join(source, aws) {
            Ok(first) => {
                aws.share(Arc::clone(&first));
                let credentials = super::of(source, aws).await;
                first.0.send_replace(credentials.as_ref().map_or(Progress::Failed, |got| Progress::Done(got.clone())));
                credentials
            }
            Err(others) => match tokio::time::timeout(LONGEST_WAIT, taken(others, aws)).await {
                Ok(Some(credentials)) => Ok(credentials),
                _ => super::of(source, aws).await,
            },
        }
    }

    /// The first of a source is told to fetch; the others, which fetch to wait for.
    fn join(&self, source: &CredentialSource, aws: &AwsContext<'_>) -> Result<Arc<Sharing>, watch::Receiver<Progress>> {
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = aws.registry.partition();
        let same = |origin: &&Origin| {
            (&origin.source, &origin.endpoints, origin.partition) == (source, aws.network, partition)
        };
        if let Some(origin) = origins.iter().find(same) {
            return Err(origin.progress.clone());
        }
        let (sender, progress) = watch::channel(Progress::Begun);
        let (source, endpoints) = (source.clone(), aws.network.clone());
        origins.push(Origin { source, endpoints, partition, progress });
        Ok(Arc::new(Sharing(sender)))
    }
}

/// What the first has got; `None` where it has failed. The connection to ECR is made meanwhile.
async fn taken(mut progress: watch::Receiver<Progress>, aws: &AwsContext<'_>) -> Option<Credentials> {
    loop {
        match &*progress.borrow_and_update() {
            Progress::Begun => {}
            Progress::Asking => aws.preconnect(),
            Progress::Done(credentials) => return Some(credentials.clone()),
            Progress::Failed => return None,
        }
        progress.changed().await.ok()?;
    }
}
