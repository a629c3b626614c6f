//! Recognises a server under any address: by the id of its data set, which replicas share with their master.

use std::sync::Arc;

use parking_lot::Mutex;
use redis::cmd;

use super::BusError;
use super::redis::DedicatedConnection;
use storage::redis_client::RedisClient;

/// A server that holds the event log or a key-value store.
pub(super) struct GuardedServer {
    client: Arc<RedisClient>,
    /// The id that it had when it was last available.
    known: Mutex<Option<String>>,
}

impl GuardedServer {
    pub fn new(client: Arc<RedisClient>) -> Self {
        Self {
            client,
            known: Mutex::new(None),
        }
    }

    /// # Errors
    /// If the server is unavailable and its id is not known from earlier.
    async fn id(&self) -> Result<String, BusError> {
        let reply: Result<String, _> = self.client.query(cmd("INFO").arg("replication")).await;
        match reply {
            Ok(text) => {
                let id = data_set_id(&text);
                *self.known.lock() = Some(id.clone());
                Ok(id)
            }
            Err(error) => self.known.lock().clone().ok_or_else(|| error.into()),
        }
    }
}

/// Whether a connection leads to one of these servers.
///
/// # Errors
/// If a server does not tell who it is: without that, it could be any of them.
pub(super) async fn leads_to_any(
    servers: &[GuardedServer],
    connection: &DedicatedConnection,
) -> Result<bool, BusError> {
    if servers.is_empty() {
        return Ok(false);
    }
    let id = data_set_id(&connection.replication_info().await?);
    for server in servers {
        if server.id().await? == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The id in the reply of `INFO replication`; empty for a server without one.
fn data_set_id(text: &str) -> String {
    let mut lines = text.lines();
    let id = lines.find_map(|line| line.strip_prefix("master_replid:"));
    id.unwrap_or_default().trim().to_owned()
}
