//! Whether the read models of this host belong to the history of the event log.
//!
//! The rows of a read model and the position up to which they were derived are kept in different files, or on different
//! machines. Each can be lost or restored without the other. The host therefore keeps the identity of the log beside the
//! rows, in a table of its own. Where they differ, the read model is rebuilt from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::capability::sqlite::SqliteError;
use crate::capability::sqlite::database::GuestDatabase;
use crate::generation::{CurrentGeneration, Generation};
use crate::read_model_state::{self, ForeignReadModels};
use crate::rebuild::{Rebuilds, Stage};
use event_log::delivery::Subscription;
use event_log::{EventLog, LogError};

/// The time between two comparisons.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time between two looks at a rebuild.
const REBUILD_INTERVAL: Duration = Duration::from_secs(1);

/// The longest time that a statement on a read model may take.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that the start waits for the first comparison.
const FIRST_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// Compares read models with the event log.
pub struct ReadModelHistory {
    log: Arc<dyn EventLog>,
    /// The name of this host, which its consumer groups have.
    host: String,
    current: CurrentGeneration,
    rebuilds: Arc<Rebuilds>,
    /// The components that are being rebuilt, and the history to which they will belong.
    rebuilding: Mutex<BTreeMap<String, String>>,
    foreign: ForeignReadModels,
}

/// When a comparison takes place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before this host reads from the log.
    Start,
    Later,
}

/// Why a comparison was not possible.
#[derive(Debug, thiserror::Error)]
enum ComparisonError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the read model cannot be read: {0}")]
    ReadModel(String),
}

impl ReadModelHistory {
    /// Compares nothing yet.
    pub fn new(
        log: Arc<dyn EventLog>,
        host: String,
        current: CurrentGeneration,
        rebuilds: Arc<Rebuilds>,
        foreign: ForeignReadModels,
    ) -> Self {
        Self {
            log,
            host,
            current,
            rebuilds,
            rebuilding: Mutex::default(),
            foreign,
        }
    }

    /// Compares once, before the first event is delivered: a read model of a new log needs no rebuild. An unavailable
    /// log does not hold the start up.
    pub async fn check_at_start(&self) {
        let _ = tokio::time::timeout(FIRST_CHECK_TIMEOUT, self.check(Moment::Start)).await;
    }

    /// Compares regularly until `stop` is cancelled.
    ///
    /// # Errors
    /// Never; the result has the type of the other background tasks.
    pub async fn watch(self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            let interval = match self.rebuilding.lock().is_empty() {
                true => INTERVAL,
                false => REBUILD_INTERVAL,
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => self.check(Moment::Later).await,
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    async fn check(&self, moment: Moment) {
        let generation = self.current.get();
        for subscription in read_model_state::subscriptions(&generation) {
            let component = &subscription.component;
            let Some(ingress) = generation.components.get(component) else {
                continue;
            };
            if ingress.read_models.is_empty() {
                continue;
            }
            let compared = self.compare(&generation, subscription, &ingress.read_models, moment);
            if let Err(error) = compared.await {
                warn!(component, %error, "a read model could not be compared with the event log");
            }
        }
    }

    async fn compare(
        &self,
        generation: &Generation,
        subscription: &Subscription,
        read_models: &[Arc<GuestDatabase>],
        moment: Moment,
    ) -> Result<(), ComparisonError> {
        let component = &*subscription.component;
        let rebuilding = self.rebuilding.lock().get(component).cloned();
        if let Some(history) = rebuilding {
            return self.follow_rebuild(component, &history, read_models).await;
        }
        let history = match self.log.history().await {
            Ok(history) => history,
            // Deliveries wait for the log, too.
            Err(error) if error.is_unavailable() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut known = Vec::new();
        for database in read_models {
            known.push(history_of(database).await?);
        }
        let is_trimmed = generation.retention.min_age.is_some();
        let is_same = known.iter().all(|known| known.as_ref() == Some(&history));
        // The group of a host that was away for long is deleted, and events that it has not read may be gone.
        if is_same
            && (moment == Moment::Later || !is_trimmed || self.has_read(subscription).await?)
        {
            self.foreign.remove(component);
            return Ok(());
        }
        let is_new = known.iter().all(Option::is_none)
            && !is_trimmed
            && !self.has_read(subscription).await?;
        if is_new {
            self.foreign.remove(component);
            return set_history(read_models, &history).await;
        }
        let cause = "the read model does not belong to the event log: it is rebuilt";
        warn!(component, "{cause}");
        self.foreign.insert(component, cause.to_owned());
        if self.rebuilds.begin(component).is_ok() {
            let mut rebuilding = self.rebuilding.lock();
            rebuilding.insert(component.to_owned(), history);
        }
        Ok(())
    }

    /// Marks a read model whose rebuild has finished.
    async fn follow_rebuild(
        &self,
        component: &str,
        history: &str,
        read_models: &[Arc<GuestDatabase>],
    ) -> Result<(), ComparisonError> {
        let progress = self.rebuilds.progress(component);
        let failure = progress
            .as_ref()
            .and_then(|progress| progress.error.clone());
        match progress.map(|progress| progress.state) {
            Some(Stage::Running) => Ok(()),
            Some(Stage::Done) => {
                set_history(read_models, history).await?;
                self.rebuilding.lock().remove(component);
                self.foreign.remove(component);
                info!(component, "the read model belongs to the event log again");
                Ok(())
            }
            // The next comparison begins another rebuild.
            Some(Stage::Failed) | None => {
                self.rebuilding.lock().remove(component);
                let error = failure.unwrap_or_default();
                let cause =
                    format!("it does not belong to the event log, and its rebuild failed: {error}");
                self.foreign.insert(component, cause);
                Ok(())
            }
        }
    }

    /// Whether the group of the component on this host has read from the log already.
    async fn has_read(&self, subscription: &Subscription) -> Result<bool, ComparisonError> {
        let group = subscription.group(&self.host);
        for stream in &subscription.streams {
            if self.log.lag(stream, &group).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The history to which a read model belongs, if it is known.
async fn history_of(database: &Arc<GuestDatabase>) -> Result<Option<String>, ComparisonError> {
    let statement = "SELECT name FROM sqlite_schema WHERE name = 'socar_history'";
    if texts(database, statement).await?.is_empty() {
        return Ok(None);
    }
    let mut found = texts(database, "SELECT history FROM socar_history").await?;
    Ok(found.pop())
}

async fn set_history(
    databases: &[Arc<GuestDatabase>],
    history: &str,
) -> Result<(), ComparisonError> {
    // An identity consists of hexadecimal digits.
    let insert = format!("INSERT INTO socar_history (history) VALUES ('{history}')");
    for database in databases {
        for statement in [
            "CREATE TABLE IF NOT EXISTS socar_history (history TEXT NOT NULL)",
            "DELETE FROM socar_history",
            &insert,
        ] {
            texts(database, statement).await?;
        }
    }
    Ok(())
}

/// The first column of the result of a statement.
async fn texts(
    database: &Arc<GuestDatabase>,
    statement: &str,
) -> Result<Vec<String>, ComparisonError> {
    let failed = |error: SqliteError| ComparisonError::ReadModel(error.to_string());
    let session = database.session().map_err(failed)?;
    let deadline = Instant::now() + STATEMENT_TIMEOUT;
    let result = session.execute(statement, &[], deadline, None).await;
    Ok(result.map_err(failed)?.first_column())
}
