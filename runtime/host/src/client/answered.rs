//! Which connections of the pools have carried a response.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo};
use parking_lot::Mutex;

/// The number of used connections that are remembered.
const MAX_CONNECTIONS: usize = 4096;

/// The connections that have carried a response, by their local address, with the time of the last one.
#[derive(Default)]
pub struct AnsweredConnections(Mutex<HashMap<SocketAddr, Instant>>);

// === impl AnsweredConnections ===

impl AnsweredConnections {
    /// Notes the connection of a response by its extensions.
    pub fn note(&self, response: &Extensions) {
        if let Some(connection) = response.get::<HttpInfo>() {
            let mut answered = self.0.lock();
            if answered.len() >= MAX_CONNECTIONS {
                answered.clear();
            }
            answered.insert(connection.local_addr(), Instant::now());
        }
    }

    /// Forgets a connection that has failed; returns the time since its last response, if it had carried one.
    pub fn forget(&self, failed: &CaptureConnection) -> Option<Duration> {
        let mut extensions = Extensions::new();
        if let Some(connected) = &*failed.connection_metadata() {
            connected.get_extras(&mut extensions);
        }
        let connection = extensions.get::<HttpInfo>()?;
        let last = self.0.lock().remove(&connection.local_addr())?;
        Some(last.elapsed())
    }
}
