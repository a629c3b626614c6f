//! `[application.tool.socar.listener]`: the limits of what one client, and all clients together, may use.

use std::time::Duration;

use super::networks::{self, Network};
use super::value::{KIB, MIB, SECOND, bytes, count, duration, set};
use crate::document::{ConfigError, Table};

/// The limits of the listener: of each connection, or of all connections together where the field says so. The name of
/// each field is that of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerLimits {
    /// The maximum number of connections, all together.
    pub connections: usize,
    /// The maximum number of header fields of a request.
    pub headers: usize,
    /// The size limit of all header fields of a request, in bytes.
    pub head: usize,
    /// The time to receive all header fields.
    pub head_time: Duration,
    /// The time to receive the body.
    pub body_time: Duration,
    /// The maximum time between two parts of the body.
    pub body_pause: Duration,
    /// The size limit of all request bodies that are being received, of all connections together, in bytes.
    pub bodies: usize,
    /// The size limit of all responses that wait for their clients, of all connections together, in bytes.
    pub answers: usize,
    /// The maximum time in which the client reads nothing of a response.
    pub write_pause: Duration,
    /// The total time for which the client may be behind with reading a response.
    pub answer_time: Duration,
    /// The time after which a connection without a request is closed.
    pub idle: Duration,
    /// The maximum number of concurrent requests on one HTTP/2 connection.
    pub streams: u32,
    /// The maximum number of HTTP/2 requests that the client may reset before they are read.
    pub resets: usize,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// The maximum number of requests of one client at the same time.
    pub client_requests: usize,
    /// The number of requests that one client may send in a second.
    pub client_rate: u32,
    /// The number of requests that one client may send at once.
    pub client_burst: u32,
    /// The number of bytes that one client may send in an hour with requests that change something.
    pub client_bytes: usize,
    /// The origins whose pages may use the platform and read its answers.
    pub allowed_origins: Vec<String>,
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
            answers: 64 * MIB,
            write_pause: 10 * SECOND,
            answer_time: 60 * SECOND,
            idle: 60 * SECOND,
            streams: 256,
            resets: 20,
            trusted_proxies: Vec::new(),
            client_requests: 256,
            client_rate: 1000,
            client_burst: 5000,
            client_bytes: 256 * MIB,
            allowed_origins: Vec::new(),
        }
    }
}

impl ListenerLimits {
    /// The number of connections that may be in use for as long as their clients like. The others are for requests.
    pub fn lasting_connections(&self) -> usize {
        self.connections - self.connections.div_ceil(8)
    }

    /// Reads the table.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(super) fn read(mut table: Table) -> Result<Self, ConfigError> {
        let time_bounds = SECOND / 100..=3600 * SECOND;
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
        // hyper requires at least 8 KiB for the buffer of an HTTP/1 connection.
        set(&mut listener.head, bytes(table_ref, "head", 8 * KIB..=MIB)?);
        set(
            &mut listener.bodies,
            bytes(table_ref, "bodies", MIB..=4096 * MIB)?,
        );
        set(
            &mut listener.answers,
            bytes(table_ref, "answers", MIB..=4096 * MIB)?,
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
            set(time, duration(table_ref, key, time_bounds.clone())?);
        }
        set(
            &mut listener.streams,
            count(table_ref, "streams", 1..=10_000)?,
        );
        set(
            &mut listener.resets,
            count(table_ref, "resets", 1..=10_000)?,
        );
        set(
            &mut listener.client_requests,
            count(table_ref, "client_requests", 1..=100_000)?,
        );
        set(
            &mut listener.client_rate,
            count(table_ref, "client_rate", 1..=1_000_000)?,
        );
        set(
            &mut listener.client_burst,
            count(table_ref, "client_burst", 1..=1_000_000)?,
        );
        set(
            &mut listener.client_bytes,
            bytes(table_ref, "client_bytes", 64 * KIB..=1024 * 1024 * MIB)?,
        );
        listener.trusted_proxies = networks::read(table_ref, "trusted_proxies")?;
        listener.allowed_origins = origins(table_ref)?;
        table.finish()?;
        Ok(listener)
    }
}

/// Takes `allowed_origins`: a scheme, a host and perhaps a port each, as browsers send them.
fn origins(table: &mut Table) -> Result<Vec<String>, ConfigError> {
    let written = table.strings("allowed_origins")?;
    let origins = written.into_iter().map(|origin| {
        let authority = ["http://", "https://"]
            .iter()
            .find_map(|scheme| origin.value.strip_prefix(scheme));
        let is_origin = authority.is_some_and(|authority| {
            let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_allowed = |byte| is_allowed(byte) || b".-:[]".contains(&byte);
            !authority.is_empty() && authority.bytes().all(is_allowed)
        });
        match is_origin {
            true => Ok(origin.value),
            false => Err(origin.error(
                "not an origin",
                "write a scheme, a host in lower case and perhaps a port, such as \"https://shop.example\"",
            )),
        }
    });
    origins.collect()
}
