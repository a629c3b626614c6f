//! Aggregates: load, decide, compare-and-swap, publish.
//!
//! This is the only loop that changes state. An aggregate is one JSON value in the store: the state, a
//! `version`, the id of the commit that wrote it, the ids of the previous commits, and the events of
//! these commits. One compare-and-swap therefore writes state and events together;
//! [`crate::outbox`] publishes the events afterwards and finds those that a crash left unpublished.
//!
//! A swap that the provider does not confirm is checked by reading the value back: if the value contains
//! the commit id, the swap took place.

mod change;
mod commit;
mod previous;

pub use change::{ChangeOutcome, Decision, Persistent, Versioned};

use crate::{
    change_error::ChangeError,
    origin::Origin,
    outbox::{self, Announcement},
    platform::{LogError, Platform},
    store::{Store, StoreError},
    stored::{PendingEvent, StoredAggregate},
};
use commit::CommitAttempts;
use events::{CloudEvent, Event, SPEC_VERSION, Timestamp};
use previous::{Previous, decode};
use serde_json::value::{RawValue, to_raw_value};

/// Number of swaps that are attempted before a change fails with [`ChangeError::Contended`].
const MAX_ATTEMPTS: u32 = 64;

/// All aggregates of one kind in one context's store.
#[derive(Clone, Copy)]
pub struct Aggregates<'a, P> {
    platform: &'a P,
    /// The log stream of their events.
    stream: &'static str,
    /// The `source` of their events.
    source: &'static str,
    /// The time of the changes, if it is not the time of the call.
    time: Option<Timestamp>,
}

impl<'a, P: Platform> Aggregates<'a, P> {
    /// The aggregates in the state store of `platform`. Their events go to `stream` with `source` as
    /// their CloudEvents source.
    pub fn new(platform: &'a P, stream: &'static str, source: &'static str) -> Self {
        Self {
            platform,
            stream,
            source,
            time: None,
        }
    }

    /// The same aggregates with `time` as the time of every event, for a state that records the same
    /// time.
    #[must_use]
    pub fn with_time(self, time: Timestamp) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }

    /// Reads one aggregate; `None` if `key` is absent.
    ///
    /// # Errors
    ///
    /// [`ChangeError::Store`] or [`ChangeError::Corrupt`].
    pub async fn load<A: Persistent, R>(
        &self,
        key: &str,
    ) -> Result<Option<Versioned<A>>, ChangeError<R>> {
        let bytes = self.platform.state().get(key).await?;
        let stored = decode::<A, R>(key, bytes.as_deref())?;
        Ok(stored.map(|stored| Versioned {
            version: stored.version,
            state: A::from_record(stored.state),
        }))
    }

    /// Changes one aggregate, then publishes the events of the change. `decide` is called once per
    /// attempt, with the aggregate as it then is; the decision of the last call counts.
    ///
    /// # Errors
    ///
    /// See [`ChangeError`]. A failed publication is no error: the outbox sweep repeats it.
    pub async fn change<A: Persistent, O, R>(
        &self,
        key: &str,
        origin: &Origin,
        decide: impl FnMut(Option<&Versioned<A>>) -> Result<Decision<A, O>, R>,
    ) -> Result<ChangeOutcome<A, O>, ChangeError<R>> {
        let mut outcome = self.commit(key, origin, decide).await?;
        // The outbox sweep repeats a failed publication.
        let _ = self.publish(&mut outcome).await;
        Ok(outcome)
    }

    /// Changes one aggregate and leaves the publication of its events to [`Self::publish`] or to the
    /// outbox sweep. `decide` is called as in [`Self::change`].
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
        let mut attempts = CommitAttempts::new(self.platform, key);
        // One time for all attempts: each of them may take effect, and all must announce the same.
        let time = self.time.unwrap_or_else(|| self.platform.now());
        let mut unconfirmed: Option<ChangeOutcome<A, O>> = None;
        for attempt in 0..MAX_ATTEMPTS {
            let (bytes, token) = self.platform.state().get_for_swap(key).await?;
            let stored = decode::<A, R>(key, bytes.as_deref())?;
            let is_stored = |id: &str| stored.as_ref().is_some_and(|stored| stored.contains(id));
            if let Some(outcome) = unconfirmed.take_if(|_| is_stored(&attempts.id)) {
                return Ok(outcome);
            }
            attempts.ensure_traceable(stored.as_ref())?;
            let previous = Previous::from(stored);
            let (state, announced, output) = match decide(previous.aggregate.as_ref()) {
                Ok(Decision::Commit(state, announced, output)) => (state, announced, output),
                Ok(Decision::Keep(output)) => {
                    attempts.withdraw_intent().await;
                    return Ok(ChangeOutcome::unchanged(previous.aggregate, output));
                }
                Err(refusal) => {
                    attempts.withdraw_intent().await;
                    return Err(ChangeError::Refused(refusal));
                }
            };
            let current = previous.followed_by(state);
            let version = current.version;
            let events = self.envelopes(key, version, time, origin, announced);
            if !events.is_empty() {
                attempts.store_intent(time).await?;
            }
            let value = self.encode(key, &attempts.id, previous, &current, &events);
            let value = value.await?;
            let outcome =
                ChangeOutcome::committed(current, output, attempts.intent.clone(), events);
            if attempts.swap(token, &value, version).await? {
                return Ok(outcome);
            }
            unconfirmed = Some(outcome);
            attempts.back_off(attempt).await;
        }
        Err(ChangeError::Contended(key.to_owned()))
    }

    /// Publishes the events of a commit.
    ///
    /// # Errors
    ///
    /// [`LogError`] when the log fails. The intent is then still stored, by which the outbox sweep finds and
    /// publishes the events.
    pub async fn publish<A, O>(&self, outcome: &mut ChangeOutcome<A, O>) -> Result<(), LogError> {
        match outcome.take_unpublished() {
            Some((intent, events)) => {
                outbox::publish(self.platform, self.stream, &intent, &events).await
            }
            None => Ok(()),
        }
    }

    /// The stored form of `current`, with its own events and those of `previous` that may be needed.
    async fn encode<A: Persistent>(
        &self,
        key: &str,
        commit: &str,
        previous: Previous<A>,
        current: &Versioned<A>,
        events: &[Box<RawValue>],
    ) -> Result<Vec<u8>, StoreError> {
        let announces = match events {
            [] => Announcement::Nothing,
            _ => Announcement::Events,
        };
        let mut pending = outbox::kept(self.platform, key, previous.pending, announces).await?;
        pending.extend(events.iter().map(|event| PendingEvent {
            commit: commit.to_owned(),
            event: event.clone(),
        }));
        let stored = StoredAggregate {
            version: current.version,
            commit: commit.to_owned(),
            recent: previous.recent,
            pending,
            state: current.state.to_record(),
        };
        Ok(stored.encode())
    }

    /// The announced events in their CloudEvents envelopes, as JSON.
    fn envelopes(
        &self,
        subject: &str,
        version: u64,
        time: Timestamp,
        origin: &Origin,
        announced: Vec<Event>,
    ) -> Vec<Box<RawValue>> {
        let envelope = |(index, event): (usize, Event)| CloudEvent {
            specversion: SPEC_VERSION.into(),
            id: match index {
                0 => format!("{subject}/{version}"),
                index => format!("{subject}/{version}.{index}"),
            },
            source: self.source.into(),
            subject: subject.into(),
            time,
            datacontenttype: "application/json".into(),
            sequence: version,
            correlationid: origin.correlation_id.clone(),
            causationid: origin.causation_id.clone(),
            traceparent: origin.traceparent.clone(),
            actor: origin.actor.clone(),
            event,
        };
        let announced = announced.into_iter().enumerate().map(envelope);
        announced.map(|event| to_json(&event)).collect()
    }
}

#[expect(
    clippy::expect_used,
    reason = "strings, numbers and string keys always serialise"
)]
fn to_json(event: &CloudEvent) -> Box<RawValue> {
    to_raw_value(event).expect("an event is plain data")
}

#[cfg(test)]
mod tests;
