//! Whether the read models of this host belong to the history of the event log.
//!
//! The rows of a read model and the position up to which they were derived are kept in different files, or on different
//! machines. Each can be lost or restored without the other. The host therefore keeps the identity of the log and how far
//! the rows have come beside them ([`read_model_records`]). Where the log is another one, or has lost what the rows show, the
//! read model is rebuilt from the log; where the rows are older than the position, their events are delivered again.
//!
//! Retention removes events that all groups have acknowledged, so a group that begins afterwards does not get them. The log
//! knows that it has removed some ([`EventLog::trimmed_up_to`]). Such a read model is rebuilt, too: a rebuild asks the other
//! contexts for what the log no longer contains.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_all;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::capability::sqlite::database::GuestDatabase;
use crate::generation::{CurrentGeneration, Generation};
use crate::read_model_records::{self, ProgressByStream, RecordError};
use crate::read_model_state::{self, ForeignReadModels};
use crate::rebuild::{Rebuilds, Stage};
use event_log::delivery::{Acknowledgements, Subscription};
use event_log::{Continuity, EventLog, LogError};

/// The time between two comparisons.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time between two looks at a rebuild.
const REBUILD_INTERVAL: Duration = Duration::from_secs(1);

/// The time after an acknowledgement at which the progress is written, so that many cost one write.
const PROGRESS_DELAY: Duration = Duration::from_millis(500);

/// The longest time that the start waits for the first comparison.
const FIRST_CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The history of rows that belong to none: that of no log.
const NO_HISTORY: &str = "";

/// Compares read models with the event log, and keeps their progress.
pub struct ReadModelHistory {
    log: Arc<dyn EventLog>,
    acknowledgements: Acknowledgements,
    /// The name of this host, which its consumer groups have.
    host: String,
    current: CurrentGeneration,
    rebuilds: Arc<Rebuilds>,
    /// The components that are being rebuilt, and the history to which they will belong.
    rebuilding: Mutex<BTreeMap<String, String>>,
    /// The components whose read model was found to continue the log. The progress of others is evidence, and stays.
    continued: Mutex<BTreeSet<String>>,
    /// The components whose read model began with the first event of the log, while the retention of another host may still
    /// have removed events that it had not read.
    begun: Mutex<BTreeSet<String>>,
    /// The progress that was written last, by component.
    written: Mutex<BTreeMap<String, ProgressByStream>>,
    foreign: ForeignReadModels,
}

/// Why a comparison was not possible.
#[derive(Debug, thiserror::Error)]
enum ComparisonError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    ReadModel(#[from] RecordError),
}

impl ReadModelHistory {
    /// Compares nothing yet.
    pub fn new(
        log: Arc<dyn EventLog>,
        acknowledgements: Acknowledgements,
        host: String,
        current: CurrentGeneration,
        rebuilds: Arc<Rebuilds>,
        foreign: ForeignReadModels,
    ) -> Self {
        Self {
            log,
            acknowledgements,
            host,
            current,
            rebuilds,
            rebuilding: Mutex::default(),
            continued: Mutex::default(),
            begun: Mutex::default(),
            written: Mutex::default(),
            foreign,
        }
    }

    /// Compares once, before the first event is delivered: a read model of a new log needs no rebuild. An unavailable
    /// log does not hold the start up.
    pub async fn check_at_start(&self) {
        let _ = timeout(FIRST_CHECK_TIMEOUT, self.check()).await;
    }

    /// Forgets which rows continue the log and how far they have come: writes are lost.
    pub fn forget(&self) {
        self.continued.lock().clear();
        self.written.lock().clear();
    }

    /// Compares regularly, and keeps the progress of the read models, until `stop` is cancelled.
    ///
    /// # Errors
    /// Never; the result has the type of the other background tasks.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut checked = Instant::now();
        loop {
            let interval = match self.rebuilding.lock().is_empty() {
                true => INTERVAL,
                false => REBUILD_INTERVAL,
            };
            tokio::select! {
                () = sleep_until(checked + interval) => {
                    self.check().await;
                    checked = Instant::now();
                }
                () = self.log.history_lost() => {
                    self.check().await;
                    checked = Instant::now();
                }
                () = self.acknowledged() => self.keep_progress().await,
                () = stop.cancelled() => {
                    self.keep_progress().await;
                    return Ok(());
                }
            }
        }
    }

    async fn check(&self) {
        let generation = self.current.get();
        for (subscription, databases) in read_models(&generation) {
            let component = &subscription.component;
            if let Err(error) = self.compare(&generation, subscription, databases).await {
                warn!(component, %error, "a read model could not be compared with the event log");
            }
        }
    }

    async fn compare(
        &self,
        generation: &Generation,
        subscription: &Subscription,
        read_models: &[Arc<GuestDatabase>],
    ) -> Result<(), ComparisonError> {
        let component = &subscription.component;
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
            known.push(read_model_records::history(database).await?);
        }
        let is_same = known.iter().all(|known| known.as_ref() == Some(&history));
        let has_continued = self.continued.lock().contains(component);
        let continues = is_same
            && match has_continued {
                true => self.has_begun_in_time(subscription).await?,
                false => {
                    self.continues(generation, subscription, read_models)
                        .await?
                }
            };
        if continues {
            self.continued.lock().insert(component.clone());
            self.foreign.remove(component);
            return Ok(());
        }
        let is_new = known.iter().all(Option::is_none)
            && !self.has_read(subscription).await?
            && !self.misses_events(generation, subscription).await?;
        if is_new {
            read_model_records::set_history(read_models, &history).await?;
            self.begun.lock().insert(component.clone());
            self.continued.lock().insert(component.clone());
            self.foreign.remove(component);
            return Ok(());
        }
        let cause = "the read model does not belong to the event log: it is rebuilt";
        warn!(component, "{cause}");
        self.continued.lock().remove(component);
        self.foreign.insert(component, cause.to_owned());
        if is_same {
            // Until the rebuild has finished, also after a restart, nothing takes the rows for complete.
            read_model_records::set_history(read_models, NO_HISTORY).await?;
        }
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
                read_model_records::set_history(read_models, history).await?;
                self.written.lock().remove(component);
                self.continued.lock().insert(component.to_owned());
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

    /// Whether the log continues where the rows end. A group that has gone on without them gets the later events again.
    async fn continues(
        &self,
        generation: &Generation,
        subscription: &Subscription,
        read_models: &[Arc<GuestDatabase>],
    ) -> Result<bool, ComparisonError> {
        let component = &subscription.component;
        let group = subscription.group(&self.host);
        for database in read_models {
            for (stream, kept) in read_model_records::progress(database).await? {
                match self.log.resume(&stream, &group, kept).await? {
                    Continuity::Intact => {}
                    Continuity::Rewound => {
                        warn!(
                            component,
                            stream,
                            "the read model is older than its position: its events are delivered again"
                        );
                    }
                    Continuity::Broken => return Ok(false),
                }
            }
        }
        // The group of a host that was away for long is deleted, and events that it has not read may be gone.
        Ok(!self.misses_events(generation, subscription).await?)
    }

    /// Whether the log may have removed events of a stream that the group has not begun to read. While a group is there, the
    /// log keeps what it has not acknowledged.
    async fn misses_events(
        &self,
        generation: &Generation,
        subscription: &Subscription,
    ) -> Result<bool, ComparisonError> {
        let group = subscription.group(&self.host);
        // An earlier version of the host leaves no mark in the log, and may run beside this one.
        let has_retention = generation.retention.min_age.is_some();
        for stream in &subscription.streams {
            let is_trimmed = has_retention || self.log.trimmed_up_to(stream).await?.is_some();
            if is_trimmed && self.log.lag(stream, &group).await?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the group of a read model that began with the first event was there before the log removed any event.
    async fn has_begun_in_time(
        &self,
        subscription: &Subscription,
    ) -> Result<bool, ComparisonError> {
        let component = &subscription.component;
        let has_begun = self.begun.lock().contains(component);
        if !has_begun || !self.has_read(subscription).await? {
            return Ok(true);
        }
        let mut is_trimmed = false;
        for stream in &subscription.streams {
            is_trimmed |= self.log.trimmed_up_to(stream).await?.is_some();
        }
        self.begun.lock().remove(component);
        Ok(!is_trimmed)
    }

    /// Waits until the group of a read model acknowledges, and a moment more.
    async fn acknowledged(&self) {
        let generation = self.current.get();
        let groups = read_models(&generation).map(|(subscription, _)| {
            let mut news = self
                .acknowledgements
                .of_group(&subscription.group(&self.host));
            Box::pin(async move { news.changed().await })
        });
        let groups: Vec<_> = groups.collect();
        if groups.is_empty() {
            return std::future::pending().await;
        }
        // What was acknowledged before this look is no news.
        if !self.has_unwritten_progress(&generation) {
            let _ = select_all(groups).await;
        }
        sleep(PROGRESS_DELAY).await;
    }

    fn has_unwritten_progress(&self, generation: &Generation) -> bool {
        let (continued, written) = (self.continued.lock(), self.written.lock());
        read_models(generation).any(|(subscription, _)| {
            let group = subscription.group(&self.host);
            let known = written.get(&subscription.component);
            let mut streams = subscription.streams.iter();
            continued.contains(&subscription.component)
                && streams.any(|stream| {
                    let progress = self.log.progress(stream, &group);
                    progress.is_some() && progress.as_ref() != known.and_then(|it| it.get(stream))
                })
        })
    }

    async fn keep_progress(&self) {
        let generation = self.current.get();
        for (subscription, databases) in read_models(&generation) {
            let component = &subscription.component;
            let has_continued = self.continued.lock().contains(component);
            if has_continued && let Err(error) = self.write_progress(subscription, databases).await
            {
                debug!(component, %error, "the progress of a read model could not be written");
            }
        }
    }

    async fn write_progress(
        &self,
        subscription: &Subscription,
        databases: &[Arc<GuestDatabase>],
    ) -> Result<(), RecordError> {
        let component = &subscription.component;
        let group = subscription.group(&self.host);
        let mut written = self.written.lock().get(component).cloned();
        let written = written.get_or_insert_default();
        let mut moved = ProgressByStream::new();
        for stream in &subscription.streams {
            let progress = self.log.progress(stream, &group);
            if let Some(progress) = progress.filter(|it| written.get(stream) != Some(it)) {
                moved.insert(stream.clone(), progress);
            }
        }
        if !moved.is_empty() {
            read_model_records::set_progress(databases, &moved).await?;
            written.append(&mut moved);
            self.written
                .lock()
                .insert(component.clone(), written.clone());
        }
        Ok(())
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

/// The read models of this generation, with the subscriptions that feed them.
fn read_models(
    generation: &Generation,
) -> impl Iterator<Item = (&Subscription, &[Arc<GuestDatabase>])> {
    read_model_state::subscriptions(generation).filter_map(|subscription| {
        let ingress = generation.components.get(&subscription.component)?;
        let databases = &ingress.read_models[..];
        (!databases.is_empty()).then_some((subscription, databases))
    })
}
