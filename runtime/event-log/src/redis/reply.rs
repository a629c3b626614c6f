//! The replies of Redis as the types of the event log.

use std::time::Duration;

use bytes::Bytes;

use crate::{Consumer, Delivery, Entry, EntryId, LogError, Position};

/// An entry of `XRANGE`: its id and its fields.
pub(super) type EntryReply = (String, Vec<(String, Vec<u8>)>);

/// A row of `claim.lua`: stream, id, lane, attempts, milliseconds until due, event.
pub(super) type ClaimRow = (String, String, String, u32, u64, Option<Vec<u8>>);

pub(super) fn entry(stream: &str, row: EntryReply) -> Result<Entry, LogError> {
    let (id, fields) = row;
    let fields = fields.into_iter();
    Ok(Entry {
        id: entry_id(stream, &id)?,
        fields: fields.map(|(name, value)| (name, value.into())).collect(),
    })
}

pub(super) fn delivery(consumer: &Consumer, row: ClaimRow) -> Result<Delivery, LogError> {
    let (stream, id, lane, attempts, due_in, event) = row;
    Ok(Delivery {
        position: Position {
            id: entry_id(&stream, &id)?,
            stream: consumer.stream(&stream),
        },
        lane: lane.into(),
        attempts,
        due_in: Duration::from_millis(due_in),
        event: event.map(Bytes::from),
    })
}

pub(super) fn entry_id(stream: &str, id: &str) -> Result<EntryId, LogError> {
    id.parse().map_err(|_| LogError::Damaged(stream.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Routing;
    use crate::{DEAD_LETTERS, dead_letters};
    use proptest::prelude::*;
    use redis::{FromRedisValue as _, Value};

    /// Replies of a server that is another version, or whose keys another program has written.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            any::<i64>().prop_map(Value::Int),
            prop::collection::vec(any::<u8>(), 0..12).prop_map(Value::BulkString),
            "(event|group|socar.car|[0-9]{1,21}-[0-9]{1,21}|@lane|\\{\"subject\":\"a\"\\})"
                .prop_map(|text| Value::BulkString(text.into_bytes())),
            Just(Value::Okay),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop::collection::vec(inner, 0..7).prop_map(Value::Array)
        })
    }

    proptest! {
        #[test]
        fn any_reply_is_read_or_refused(value in value()) {
            let consumer = Consumer::new("car", "host", &["socar.car"]);
            if let Ok(row) = ClaimRow::from_redis_value(value.clone()) {
                let _ = delivery(&consumer, row);
            }
            if let Ok(rows) = Vec::<EntryReply>::from_redis_value(value) {
                for row in rows {
                    if let Ok(entry) = entry(DEAD_LETTERS, row) {
                        Routing::of("socar.car", &entry.fields);
                        let _ = dead_letters::redriven(&entry);
                    }
                }
            }
        }

        #[test]
        fn any_id_of_an_entry_is_read_or_refused(text in "[0-9-]{0,45}") {
            if let Ok(id) = entry_id("socar.car", &text) {
                prop_assert_eq!(entry_id("socar.car", &id.to_string()).ok(), Some(id));
            }
        }
    }
}
