//! A consumer of a group, as it identifies itself to the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::LogError;

/// A consumer of a group, one session of it, and the streams that it reads.
#[derive(Debug, Clone)]
pub struct Consumer {
    /// The name of the group.
    pub group: String,
    /// The name of the consumer, unique within its group at any time.
    pub name: String,
    /// Tells this session from earlier ones of a consumer of the same name.
    pub(crate) session: String,
    /// The streams it subscribes to, then the group's own stream of redriven letters.
    streams: Vec<Arc<str>>,
    /// The types of the events that it handles; every type, if absent.
    event_types: Option<Arc<BTreeSet<String>>>,
}

impl Consumer {
    /// A consumer in a new session. It also reads the stream of letters that were redriven to its group.
    pub fn new(group: &str, name: &str, streams: &[&str]) -> Self {
        let redriven = redrive_stream(group);
        let streams = streams.iter().copied().chain([&*redriven]);
        Self {
            group: group.to_owned(),
            name: name.to_owned(),
            session: new_session(),
            streams: streams.map(Arc::from).collect(),
            event_types: None,
        }
    }

    /// The same consumer, for events of these types only: the log acknowledges the others itself. An event without a
    /// type is delivered.
    #[must_use]
    pub fn with_event_types(self, event_types: Option<BTreeSet<String>>) -> Self {
        Self {
            event_types: event_types.map(Arc::new),
            ..self
        }
    }

    /// The same consumer in a new session.
    #[must_use]
    pub fn with_new_session(&self) -> Self {
        Self {
            session: new_session(),
            ..self.clone()
        }
    }

    /// All streams that this consumer reads.
    pub fn streams(&self) -> &[Arc<str>] {
        &self.streams
    }

    /// Whether it subscribes to one of these streams.
    pub(crate) fn reads_any(&self, streams: &[Arc<str>]) -> bool {
        let redriven = redrive_stream(&self.group);
        let mut subscribed = self.streams.iter().filter(|it| ***it != *redriven);
        subscribed.any(|stream| streams.contains(stream))
    }

    /// Whether its group belongs to one host (`component@host`), and not to all hosts together.
    pub(crate) fn is_of_one_host(&self) -> bool {
        Self::is_group_of_one_host(&self.group)
    }

    /// Whether the name of a group is that of [`crate::delivery::Audience::EachHost`].
    pub(crate) fn is_group_of_one_host(group: &str) -> bool {
        group.contains('@')
    }

    /// Whether the other value is the same session of the same consumer.
    pub(crate) fn is_same_session(&self, other: &Self) -> bool {
        self.name == other.name && self.session == other.session
    }

    /// Whether events of this type are delivered to it.
    pub(crate) fn handles(&self, event_type: Option<&str>) -> bool {
        match (&self.event_types, event_type) {
            (Some(types), Some(event_type)) => types.contains(event_type),
            _ => true,
        }
    }

    pub(crate) fn evicted(&self) -> LogError {
        LogError::Evicted {
            group: self.group.clone(),
            consumer: self.name.clone(),
        }
    }

    /// The consumer's copy of a stream name, which saves an allocation for each entry.
    pub(crate) fn stream(&self, name: &str) -> Arc<str> {
        let known = self.streams.iter().find(|stream| &***stream == name);
        known.map_or_else(|| Arc::from(name), Arc::clone)
    }
}

fn new_session() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The stream on which the dead letters of a group come back to it.
pub(crate) fn redrive_stream(group: &str) -> String {
    format!("socar.redrive.{group}")
}
