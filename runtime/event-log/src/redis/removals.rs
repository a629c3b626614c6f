//! What the server knows of entries that were removed from a stream.

use std::collections::HashMap;

use redis::{Value, cmd};

use super::reply::entry_id;
use super::{RedisLog, text};
use crate::{EntryId, EventLog, LogError};
use storage::redis_client::RedisClientError;

/// The key of the marks, which `trim.lua` writes.
const TRIMMED: &str = "socar.log:trimmed";

impl RedisLog {
    /// See [`EventLog::trimmed_up_to`].
    pub(super) async fn removed_up_to(&self, stream: &str) -> Result<Option<EntryId>, LogError> {
        let mut mark = cmd("HGET");
        mark.arg(TRIMMED).arg(stream);
        let mark: Option<String> = self.client.query(&mark).await?;
        match mark {
            Some(mark) => entry_id(stream, &mark).map(Some),
            None => self.removed_without_mark(stream).await,
        }
    }

    /// A host of an earlier version, or an operator, may have trimmed the stream without a mark. Redis 7 counts the entries
    /// that were ever added, and so knows that some are missing; Redis 6.2 does not.
    async fn removed_without_mark(&self, stream: &str) -> Result<Option<EntryId>, LogError> {
        let mut info = cmd("XINFO");
        info.arg("STREAM").arg(stream);
        let info: HashMap<String, Value> = match self.client.query(&info).await {
            Ok(info) => info,
            // The stream does not exist.
            Err(RedisClientError::ErrorReply(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let number = |name| match info.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        };
        if number("entries-added") <= number("length") {
            return Ok(None);
        }
        let oldest = self.range(stream, EntryId::MIN, EntryId::MAX, 1).await?;
        match oldest.first() {
            Some(oldest) => Ok(Some(oldest.id.previous())),
            None => {
                let newest = info.get("last-generated-id").and_then(text);
                entry_id(stream, newest.unwrap_or_default()).map(Some)
            }
        }
    }
}
