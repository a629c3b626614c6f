//! Event logs for tests: each implementation on a backend of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot start its backend fails"
)]

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use storage::database::Database;
use storage::redis_client::test_support::RedisServer;

use crate::{EVENT_FIELD, EmbeddedLog, EventLog, Fields, RedisLog};

/// A log under test and its backend, which ends with the value.
pub struct Fixture {
    /// The log.
    pub log: Arc<dyn EventLog>,
    _backend: Box<dyn Any>,
}

impl Fixture {
    /// A log with its backend.
    pub(crate) fn of(log: Arc<dyn EventLog>, backend: Box<dyn Any>) -> Self {
        Self {
            log,
            _backend: backend,
        }
    }
}

/// A log in an embedded database.
pub fn embedded() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("socar.db")).unwrap();
    Fixture::of(
        Arc::new(EmbeddedLog::open(database).unwrap()),
        Box::new(folder),
    )
}

/// A log on a Redis server of its own.
pub async fn redis() -> Fixture {
    let server = RedisServer::start().await;
    Fixture::of(Arc::new(RedisLog::new(server.client())), Box::new(server))
}

/// The fields of an entry that holds an event with this subject and number.
pub fn event(subject: &str, number: usize) -> Fields {
    let json = serde_json::json!({"id": number.to_string(), "subject": subject, "이름": "값"});
    vec![(EVENT_FIELD.to_owned(), Bytes::from(json.to_string()))]
}
