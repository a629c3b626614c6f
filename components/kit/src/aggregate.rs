//! Load, decide, swap, announce: the one loop that changes state.
//!
//! An aggregate is one JSON value in the store. Beside the state it holds a `version`, the id of
//! the commit that wrote it, the ids of the few before, and the events that these commits announce.
//! State and announcement therefore leave together, in one compare-and-swap; [`crate::outbox`]
//! publishes afterwards and finds what a crash left behind.
//!
//! Whether a swap took place is decided by reading back, never by what the provider says: if our
//! commit id stands in the value, it did.

use crate::{Origin, Platform, Store, StoreError, SwapOutcome, outbox};
use events::{CloudEvent, Event, SPEC_VERSION, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

/// How many swaps are tried before the caller is told that the aggregate is too busy.
const MAX_ATTEMPTS: u32 = 64;
/// How many earlier commit ids a value remembers: more than can pile up while one writer reads back.
const MAX_RECENT_COMMITS: usize = 16;

/// A domain type and the form in which it is stored.
pub trait Persistent: Sized {
    /// The stored form; it changes for other reasons than a rule does.
    type Record: Serialize + DeserializeOwned;

    /// The stored form of this state.
    fn to_record(&self) -> Self::Record;
    /// The state that was stored.
    fn from_record(record: Self::Record) -> Self;
}

/// An aggregate as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<A> {
    /// Counts the commits, from 1.
    pub version: u64,
    /// The aggregate.
    pub state: A,
}

/// What a use case decided.
#[derive(Debug)]
pub enum Decision<A, O> {
    /// Write the new state and announce the events.
    Commit(A, Vec<Event>, O),
    /// There is nothing to change.
    Keep(O),
}

/// Why a change did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<R> {
    /// The domain said no; nothing changed.
    #[error("refused")]
    Refused(R),
    /// The store failed; whether the change took place is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The stored value cannot be read.
    #[error("the stored value of `{0}` cannot be read: {1}")]
    Corrupt(String, String),
    /// Others changed the aggregate faster than this change could; nothing changed.
    #[error("`{0}` is changed too often at this moment")]
    Contended(String),
}

/// A committed change.
#[derive(Debug)]
pub struct ChangeOutcome<A, O> {
    /// The aggregate as it now is, absent if it is still absent.
    pub current: Option<Versioned<A>>,
    /// What the decision returned.
    pub output: O,
    /// The commit whose events wait to be published, if there are any.
    commit: Option<UnpublishedCommit>,
}

/// Events that were committed and are to be published.
#[derive(Debug)]
struct UnpublishedCommit {
    intent: String,
    events: Vec<CloudEvent>,
}

/// The stored form of every aggregate.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredAggregate<R> {
    version: u64,
    commit: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    recent: Vec<String>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(crate) pending: Vec<PendingEvent>,
    state: R,
}

/// An event that left with the commit of that id.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct PendingEvent {
    pub(crate) commit: String,
    pub(crate) event: CloudEvent,
}

/// All aggregates of one kind in one context's store.
#[derive(Clone, Copy)]
pub struct Aggregates<'a, P> {
    platform: &'a P,
    /// Where their events go, and who is named as their source.
    stream: &'static str,
    source: &'static str,
    /// When changes happen, if it is not the moment at which they are asked for.
    time: Option<Timestamp>,
}

impl<'a, P: Platform> Aggregates<'a, P> {
    /// The aggregates of `platform`'s store, announcing on `stream` as `source`.
    pub fn new(platform: &'a P, stream: &'static str, source: &'static str) -> Self {
        Self {
            platform,
            stream,
            source,
            time: None,
        }
    }

    /// The same aggregates, whose changes happen at this moment: for a state that tells when, so
    /// that its announcement names the same moment.
    #[must_use]
    pub fn with_time(self, time: Timestamp) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// Reads one aggregate.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Store`] or [`ChangeError::Corrupt`].
    pub async fn load<A: Persistent, R>(
        &self,
        key: &str,
    ) -> Result<Option<Versioned<A>>, ChangeError<R>> {
        let bytes = self.platform.state().get(key).await?;
        Ok(
            decode::<A, R>(key, bytes.as_deref())?.map(|stored| Versioned {
                version: stored.version,
                state: A::from_record(stored.state),
            }),
        )
    }

    /// Changes one aggregate and publishes what that announces. `decide` may be asked several
    /// times; its last answer counts.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`]. Events that cannot be published now are no error: the sweep will.
    pub async fn change<A: Persistent, O, R>(
        &self,
        key: &str,
        origin: &Origin,
        decide: impl FnMut(Option<&Versioned<A>>) -> Result<Decision<A, O>, R>,
    ) -> Result<ChangeOutcome<A, O>, ChangeError<R>> {
        let mut changed = self.commit(key, origin, decide).await?;
        self.publish(&mut changed).await;
        Ok(changed)
    }

    /// Changes one aggregate and leaves the publishing to a later [`Self::publish`], or to the sweep.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`].
    pub async fn commit<A: Persistent, O, R>(
        &self,
        key: &str,
        origin: &Origin,
        mut decide: impl FnMut(Option<&Versioned<A>>) -> Result<Decision<A, O>, R>,
    ) -> Result<ChangeOutcome<A, O>, ChangeError<R>> {
        let commit = self.platform.unique_id();
        // One moment for all tries: any of them may land, and each must announce the same.
        let time = self.time.unwrap_or_else(|| self.platform.now());
        let intent = outbox::intent(key, &commit);
        let mut announced = false;
        let mut unanswered = false;
        let mut tried: Option<(Versioned<A>, Vec<CloudEvent>, O)> = None;
        for attempt in 0..MAX_ATTEMPTS {
            let (bytes, token) = self.platform.state().get_for_swap(key).await?;
            let stored = decode::<A, R>(key, bytes.as_deref())?;
            if let Some((current, events, output)) =
                tried.take_if(|_| holds(stored.as_ref(), &commit))
            {
                // The swap before did happen, whatever the provider said.
                return Ok(ChangeOutcome::committed(current, output, intent, events));
            }
            let (before, earlier) = split(stored);
            let decision = decide(before.as_ref().map(|(versioned, _)| versioned));
            let (state, announcements, output) = match decision {
                Ok(Decision::Commit(state, announcements, output)) => {
                    (state, announcements, output)
                }
                Ok(Decision::Keep(output)) => {
                    self.forget(announced && !unanswered, &intent).await;
                    return Ok(ChangeOutcome::unchanged(
                        before.map(|(versioned, _)| versioned),
                        output,
                    ));
                }
                Err(refusal) => {
                    self.forget(announced && !unanswered, &intent).await;
                    return Err(ChangeError::Refused(refusal));
                }
            };
            let version = before
                .as_ref()
                .map_or(0, |(versioned, _)| versioned.version)
                + 1;
            let events = self.address(key, version, time, origin, announcements);
            if !events.is_empty() && !announced {
                let now = self.platform.now().as_millis().to_string();
                self.platform.outbox().set(&intent, now.as_bytes()).await?;
                announced = true;
            }
            let mut pending = outbox::unpublished(self.platform, key, earlier).await?;
            pending.extend(events.iter().map(|event| PendingEvent {
                commit: commit.clone(),
                event: event.clone(),
            }));
            let value = encode(&StoredAggregate {
                version,
                commit: commit.clone(),
                recent: before.map_or_else(Vec::new, |(_, recent)| recent),
                pending,
                state: state.to_record(),
            });
            let current = Versioned { version, state };
            match self.platform.state().compare_and_swap(token, &value).await {
                Ok(SwapOutcome::Written) => {
                    return Ok(ChangeOutcome::committed(current, output, intent, events));
                }
                // Refused or no answer: only reading back tells.
                Ok(SwapOutcome::Conflict) => {}
                // It may even land later, so its intent must then stand.
                Err(_) => unanswered = true,
            }
            tried = Some((current, events, output));
            self.back_off(attempt).await;
        }
        Err(ChangeError::Contended(key.to_owned()))
    }

    /// Publishes what a commit announced; leaves it to the sweep if the log does not answer.
    pub async fn publish<A, O>(&self, changed: &mut ChangeOutcome<A, O>) {
        if let Some(commit) = changed.commit.take() {
            // An error leaves the intent standing, which is all the sweep needs.
            let _ =
                outbox::publish(self.platform, self.stream, &commit.intent, &commit.events).await;
        }
    }

    fn address(
        &self,
        subject: &str,
        version: u64,
        time: Timestamp,
        origin: &Origin,
        announcements: Vec<Event>,
    ) -> Vec<CloudEvent> {
        let address = |(index, event): (usize, Event)| CloudEvent {
            specversion: SPEC_VERSION.into(),
            id: match index {
                0 => format!("{subject}/{version}"),
                more => format!("{subject}/{version}.{more}"),
            },
            source: self.source.into(),
            subject: subject.into(),
            time,
            datacontenttype: "application/json".into(),
            sequence: version,
            correlationid: origin.correlation_id.clone(),
            causationid: origin.causation_id.clone(),
            traceparent: origin.traceparent.clone(),
            event,
        };
        announcements.into_iter().enumerate().map(address).collect()
    }

    /// Withdraws an intent whose swap never happened. The sweep would do it too, later.
    async fn forget(&self, announced: bool, intent: &str) {
        if announced {
            let _ = self.platform.outbox().delete(intent).await;
        }
    }

    /// The first retries are immediate, for the loser of one race; a crowd spreads out.
    async fn back_off(&self, attempt: u32) {
        if attempt >= 2 {
            let spread = u64::from_str_radix(&self.platform.unique_id()[..4], 16).unwrap_or(1);
            let most = 1 << attempt.min(6);
            self.platform
                .sleep(Duration::from_millis(spread % most + 1))
                .await;
        }
    }
}

// === impl ChangeOutcome ===

impl<A, O> ChangeOutcome<A, O> {
    fn committed(
        current: Versioned<A>,
        output: O,
        intent: String,
        events: Vec<CloudEvent>,
    ) -> Self {
        Self {
            current: Some(current),
            output,
            commit: (!events.is_empty()).then_some(UnpublishedCommit { intent, events }),
        }
    }

    fn unchanged(current: Option<Versioned<A>>, output: O) -> Self {
        Self {
            current,
            output,
            commit: None,
        }
    }
}

fn holds<R>(stored: Option<&StoredAggregate<R>>, commit: &str) -> bool {
    stored.is_some_and(|stored| {
        stored.commit == commit || stored.recent.iter().any(|recent| recent == commit)
    })
}

/// The aggregate with the commit ids that its next version remembers, and its pending events.
#[expect(clippy::type_complexity, reason = "two values, taken apart at once")]
fn split<A: Persistent>(
    stored: Option<StoredAggregate<A::Record>>,
) -> (Option<(Versioned<A>, Vec<String>)>, Vec<PendingEvent>) {
    let Some(stored) = stored else {
        return (None, Vec::new());
    };
    let mut recent = vec![stored.commit];
    recent.extend(stored.recent);
    recent.truncate(MAX_RECENT_COMMITS);
    let versioned = Versioned {
        version: stored.version,
        state: A::from_record(stored.state),
    };
    (Some((versioned, recent)), stored.pending)
}

fn decode<A: Persistent, R>(
    key: &str,
    bytes: Option<&[u8]>,
) -> Result<Option<StoredAggregate<A::Record>>, ChangeError<R>> {
    bytes
        .map(serde_json::from_slice)
        .transpose()
        .map_err(|error| ChangeError::Corrupt(key.to_owned(), error.to_string()))
}

#[expect(
    clippy::expect_used,
    reason = "records are plain data with string keys"
)]
fn encode<R: Serialize>(stored: &StoredAggregate<R>) -> Vec<u8> {
    serde_json::to_vec(stored).expect("a record serialises")
}

#[cfg(test)]
mod tests;
