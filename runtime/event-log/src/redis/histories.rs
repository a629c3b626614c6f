//! The identity of the history on the server, and how its loss is noticed.
//!
//! A server that lost its last second, or that was restored from a backup, continues under the same identity. A consumer
//! subscribes again after each outage. It then looks for the newest entry that it has read; if that entry is gone, the
//! history is another one from now on.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use redis::cmd;

use super::reply::EntryReply;
use crate::entry::new_history;
use crate::{Consumer, Delivery, EntryId, LogError};
use storage::redis_client::RedisClient;

/// The key of the identity.
const KEY: &str = "socar.log:history";

/// The newest entry that each group of this process has read on each stream.
#[derive(Default)]
pub(super) struct Histories(Mutex<HashMap<(String, Arc<str>), EntryId>>);

impl Histories {
    /// The identity of the history on the server, which begins one if it has none.
    pub async fn current(&self, client: &RedisClient) -> Result<String, LogError> {
        let mut begin = cmd("SET");
        begin.arg(KEY).arg(new_history()).arg("NX");
        client.query::<Option<String>>(&begin).await?;
        Ok(client.query(cmd("GET").arg(KEY)).await?)
    }

    /// Notes what a consumer has read.
    pub fn note_read(&self, group: &str, deliveries: &[Delivery]) {
        if deliveries.is_empty() {
            return;
        }
        let mut newest = self.0.lock();
        for Delivery { position, .. } in deliveries {
            let key = (group.to_owned(), position.stream.clone());
            let known = newest.entry(key).or_insert(position.id);
            *known = position.id.max(*known);
        }
    }

    /// Begins another history if the server has lost an entry that the consumer has read.
    pub async fn check(&self, client: &RedisClient, consumer: &Consumer) -> Result<(), LogError> {
        // The stream of redriven letters loses each letter that is handled.
        let Some((_, streams)) = consumer.streams().split_last() else {
            return Ok(());
        };
        for stream in streams {
            let key = (consumer.group.clone(), stream.clone());
            let Some(read) = self.0.lock().get(&key).copied() else {
                continue;
            };
            let id = read.to_string();
            let found: Vec<EntryReply> = client
                .query(cmd("XRANGE").arg(&**stream).arg(&id).arg(&id))
                .await?;
            if found.is_empty() {
                self.0.lock().remove(&key);
                let group = &*consumer.group;
                tracing::warn!(
                    group,
                    stream = &**stream,
                    entry = id,
                    "events are lost: the log continues as another history"
                );
                client
                    .query::<String>(cmd("SET").arg(KEY).arg(new_history()))
                    .await?;
            }
        }
        Ok(())
    }
}
