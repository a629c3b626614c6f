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
