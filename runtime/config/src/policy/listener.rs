//! `[application.tool.socar.listener]`: what the front door bears from its clients, the slow ones and the many.

use std::time::Duration;

use super::{KIB, MIB, SECOND, bytes, count, duration, set};
use crate::document::ConfigError;
use crate::document::Table;

/// The limits of the listener. They hold for each connection, unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// `connections`: how many are served at the same time, all together.
    pub connections: usize,
    /// `headers`: how many header fields a request may have.
    pub headers: usize,
    /// `head`: bytes that all header fields of a request may have together.
    pub head: usize,
    /// `head_time`: how long a client may take to send them.
    pub head_time: Duration,
    /// `body_time`: how long a client may take to send the body.
    pub body_time: Duration,
    /// `body_pause`: how long it may send nothing of the body in between.
    pub body_pause: Duration,
    /// `bodies`: bytes of request bodies that wait for their end, of all connections together.
    pub bodies: usize,
    /// `write_pause`: how long a client may take nothing of an answer.
    pub write_pause: Duration,
    /// `answer_time`: how long it may be behind with taking an answer, until it has all there is.
    pub answer_time: Duration,
    /// `idle`: how long a connection is kept without a request.
    pub idle: Duration,
    /// `streams`: requests that may be under way on one HTTP/2 connection.
    pub streams: u32,
    /// `resets`: requests that an HTTP/2 client may take back before they are looked at.
    pub resets: usize,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            headers: 100,
            head: 64 * KIB,
            head_time: 10 * SECOND,
            body_time: 30 * SECOND,
            body_pause: 5 * SECOND,
            bodies: 64 * MIB,
            write_pause: 10 * SECOND,
            answer_time: 60 * SECOND,
            idle: 60 * SECOND,
            streams: 256,
            resets: 20,
        }
    }
}

impl ListenerLimits {
    /// Reads the table.
    ///
    /// # Errors
    /// When a key is unknown or its value makes no sense.
    pub(crate) fn read(mut table: Table) -> Result<Self, ConfigError> {
        let patience = SECOND / 100..=3600 * SECOND;
        let table_ref = &mut table;
        let mut listener = Self::default();
        set(
            &mut listener.connections,
            count(table_ref, "connections", 1..=100_000)?,
        );
        set(
            &mut listener.headers,
            count(table_ref, "headers", 8..=1000)?,
        );
        // Below 8 KiB the buffer of an HTTP/1 connection would be too small to work with.
        set(&mut listener.head, bytes(table_ref, "head", 8 * KIB..=MIB)?);
        set(
            &mut listener.bodies,
            bytes(table_ref, "bodies", MIB..=4096 * MIB)?,
        );
        let times = [
            ("head_time", &mut listener.head_time),
            ("body_time", &mut listener.body_time),
            ("body_pause", &mut listener.body_pause),
            ("write_pause", &mut listener.write_pause),
            ("answer_time", &mut listener.answer_time),
            ("idle", &mut listener.idle),
        ];
        for (key, time) in times {
            set(time, duration(table_ref, key, patience.clone())?);
        }
        set(
            &mut listener.streams,
            count(table_ref, "streams", 1..=10_000)?,
        );
        set(
            &mut listener.resets,
            count(table_ref, "resets", 1..=10_000)?,
        );
        table.finish()?;
        Ok(listener)
    }
}
