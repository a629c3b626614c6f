//! A consumer of a group, as it identifies itself to the log.

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
