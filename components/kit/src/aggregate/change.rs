//! The types of a change: the stored form of a domain type, the decision of a use case, the outcome.

use events::Event;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A domain type with a stored form of its own.
pub trait Persistent: Sized {
    /// The stored form. It changes independently of the domain type and must read every value that
    /// was ever written.
    type Record: Serialize + DeserializeOwned;

    /// Converts the state to its stored form.
    fn to_record(&self) -> Self::Record;
    /// Converts a stored form to the state; the inverse of [`Self::to_record`].
    fn from_record(record: Self::Record) -> Self;
}

/// An aggregate with its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<A> {
    /// Number of commits so far, from 1.
    pub version: u64,
    /// The aggregate.
    pub state: A,
}

/// The decision of a use case.
#[derive(Debug)]
pub enum Decision<A, O> {
    /// Store the new state, publish the events and return the output.
    Commit(A, Vec<Event>, O),
    /// Change nothing and return the output.
    Keep(O),
}

/// The outcome of a change.
#[derive(Debug)]
pub struct ChangeOutcome<A, O> {
    /// The aggregate after the change; `None` if it is still absent.
    pub current: Option<Versioned<A>>,
    /// The output of the decision.
    pub output: O,
    /// Intent key and events of a commit that is not published yet.
    unpublished: Option<(String, Vec<Box<RawValue>>)>,
}

impl<A, O> ChangeOutcome<A, O> {
    pub(super) fn committed(
        current: Versioned<A>,
        output: O,
        intent: String,
        events: Vec<Box<RawValue>>,
    ) -> Self {
        Self {
            current: Some(current),
            output,
            unpublished: (!events.is_empty()).then_some((intent, events)),
        }
    }

    pub(super) fn unchanged(current: Option<Versioned<A>>, output: O) -> Self {
        Self {
            current,
            output,
            unpublished: None,
        }
    }

    /// Intent key and events to publish; `None` from the second call on.
    pub(super) fn take_unpublished(&mut self) -> Option<(String, Vec<Box<RawValue>>)> {
        self.unpublished.take()
    }
}
