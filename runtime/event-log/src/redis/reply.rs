//! The replies of Redis as the types of the event log.

use std::time::Duration;

use bytes::Bytes;
use redis::{FromRedisValue, ParsingError, Value};

use crate::{Consumer, Delivery, Entry, EntryId, LogError, Position};

/// An entry of `XRANGE`: its id and its fields.
pub(super) type EntryReply = (String, Vec<(AnyText, Vec<u8>)>);

/// A row of `claim.lua`: stream, id, lane, attempts, milliseconds until due, event.
pub(super) type ClaimRow = (String, String, AnyText, u32, u64, Option<Vec<u8>>);

/// A row of `groups.lua`: group, pending, lag, milliseconds since the latest heartbeat and since the stream was read.
pub(super) type GroupReply = (AnyText, u64, u64, Option<u64>, Option<u64>);

/// A text that another program has chosen: the name of a field or of a group, a lane. Bytes that are not UTF-8 are
/// replaced, so that one such text does not hide what is around it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AnyText(pub String);

pub(super) fn entry(stream: &str, row: EntryReply) -> Result<Entry, LogError> {
    let (id, fields) = row;
    let fields = fields.into_iter();
    Ok(Entry {
        id: entry_id(stream, &id)?,
        fields: fields.map(|(name, value)| (name.0, value.into())).collect(),
    })
}

pub(super) fn delivery(consumer: &Consumer, row: ClaimRow) -> Result<Delivery, LogError> {
    let (stream, id, lane, attempts, due_in, event) = row;
    Ok(Delivery {
        position: Position {
            id: entry_id(&stream, &id)?,
            stream: consumer.stream(&stream),
        },
        lane: lane.0.into(),
        attempts,
        due_in: Duration::from_millis(due_in),
        event: event.map(Bytes::from),
    })
}

pub(super) fn entry_id(stream: &str, id: &str) -> Result<EntryId, LogError> {
    id.parse().map_err(|_| LogError::Damaged(stream.to_owned()))
}

// === impl AnyText ===

impl FromRedisValue for AnyText {
    fn from_redis_value(value: Value) -> Result<Self, ParsingError> {
        let bytes = Vec::<u8>::from_redis_value(value)?;
        Ok(Self(String::from_utf8_lossy(&bytes).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Routing;
    use crate::{DEAD_LETTERS, dead_letters};
    use bolero::{TypeGenerator, produce};
    use random_inputs::fragments;
    use redis::Value;

    /// A reply of a server that is another version, or whose keys another program has written.
    #[derive(Clone, Debug, TypeGenerator)]
    enum Reply {
        Nil,
        Okay,
        Int(i64),
        Text(#[generator(text())] Vec<u8>),
        Array(Vec<Reply>),
    }

    fn text() -> impl bolero::ValueGenerator<Output = Vec<u8>> {
        fragments([
            "event",
            "group",
            "socar.car",
            "@lane",
            "1-0",
            "18446744073709551615",
            "-",
            "{\"subject\":\"a\"}",
        ])
    }

    impl From<Reply> for Value {
        fn from(reply: Reply) -> Value {
            match reply {
                Reply::Nil => Value::Nil,
                Reply::Okay => Value::Okay,
                Reply::Int(number) => Value::Int(number),
                Reply::Text(text) => Value::BulkString(text),
                Reply::Array(replies) => {
                    Value::Array(replies.into_iter().map(Value::from).collect())
                }
            }
        }
    }

    fn bulk(text: &[u8]) -> Value {
        Value::BulkString(text.to_vec())
    }

    #[test]
    fn any_claim_is_read_or_refused() {
        let consumer = Consumer::new("car", "host", &["socar.car"]);
        let input = (
            text(),
            text(),
            text(),
            produce::<(u32, i64)>(),
            produce::<Reply>(),
        );
        bolero::check!().with_generator(input).for_each(
            |(stream, id, lane, (attempts, due_in), event)| {
                let numbers = [Value::Int((*attempts).into()), Value::Int(*due_in)];
                let row = [bulk(stream), bulk(id), bulk(lane)]
                    .into_iter()
                    .chain(numbers)
                    .chain([event.clone().into()]);
                for reply in [Value::Array(row.collect()), event.clone().into()] {
                    if let Ok(row) = ClaimRow::from_redis_value(reply) {
                        let _ = delivery(&consumer, row);
                    }
                }
            },
        );
    }

    #[test]
    fn any_entry_is_read_or_refused() {
        let fields = produce::<Vec<(Vec<u8>, Vec<u8>)>>()
            .with()
            .values((text(), text()))
            .len(0..8_usize);
        let input = (text(), fields, produce::<Reply>());
        bolero::check!()
            .with_generator(input)
            .for_each(|(id, fields, other)| {
                let fields = fields
                    .iter()
                    .flat_map(|(name, value)| [bulk(name), bulk(value)]);
                let row = Value::Array(vec![bulk(id), Value::Array(fields.collect())]);
                for reply in [Value::Array(vec![row]), other.clone().into()] {
                    for row in Vec::<EntryReply>::from_redis_value(reply).unwrap_or_default() {
                        if let Ok(entry) = entry(DEAD_LETTERS, row) {
                            Routing::of("socar.car", &entry.fields);
                            let _ = dead_letters::redriven(&entry);
                        }
                    }
                }
            });
    }

    #[test]
    fn any_id_of_an_entry_is_read_or_refused() {
        bolero::check!().with_generator(text()).for_each(|text| {
            let text = String::from_utf8_lossy(text);
            if let Ok(id) = entry_id("socar.car", &text) {
                assert_eq!(entry_id("socar.car", &id.to_string()).ok(), Some(id));
            }
        });
    }
}
