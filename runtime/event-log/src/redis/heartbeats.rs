//! The heartbeats of sole consumers: one key for all consumers of a host, so that they cost one command together.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::cmd;
use tokio::sync::Mutex;

use super::milliseconds;
use super::sole_reader::SoleReaders;
use storage::redis_client::{RedisClient, RedisClientError};

/// The times of the latest heartbeats, by the name of the consumer. It is locked during a heartbeat, because the consumers of
/// a host are due at the same time.
#[derive(Default)]
pub(super) struct Heartbeats(Mutex<HashMap<String, Instant>>);

impl Heartbeats {
    /// Records that the sole consumers of this name are alive, unless that was recorded a moment ago. The record names their
    /// sessions, so that it does not speak for a group that this host does not read any more.
    ///
    /// # Errors
    /// If the server is unavailable.
    pub async fn send(
        &self,
        client: &RedisClient,
        readers: &SoleReaders,
        name: &str,
        consumer_timeout: Duration,
    ) -> Result<(), RedisClientError> {
        let mut latest = self.0.lock().await;
        let now = Instant::now();
        let is_recent = |at: &Instant| now.duration_since(*at) < consumer_timeout / 8;
        if latest.get(name).is_some_and(is_recent) {
            return Ok(());
        }
        let mut alive = cmd("SET");
        let value = readers
            .sessions(name)
            .fold("sessions".to_owned(), |value, session| {
                format!("{value} {session}")
            });
        alive.arg(format!("socar.log:alive:{name}")).arg(value);
        alive.arg("PX").arg(milliseconds(consumer_timeout).max(1));
        client.query::<()>(&alive).await?;
        latest.insert(name.to_owned(), now);
        Ok(())
    }
}
