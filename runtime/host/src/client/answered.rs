//! Which connections of the pools have carried a response.

use std::collections::HashSet;
use std::net::SocketAddr;

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpInfo};
use parking_lot::Mutex;

/// The number of used connections that are remembered.
const MAX_CONNECTIONS: usize = 4096;

/// The connections that have carried a response, by their local address.
#[derive(Default)]
pub struct AnsweredConnections(Mutex<HashSet<SocketAddr>>);

// === impl AnsweredConnections ===

impl AnsweredConnections {
    /// Notes the connection of a response by its extensions.
    pub fn note(&self, response: &Extensions) {
        if let Some(connection) = response.get::<HttpInfo>() {
            let mut answered = self.0.lock();
            if answered.len() >= MAX_CONNECTIONS {
                answered.clear();
            }
            answered.insert(connection.local_addr());
        }
    }

    /// Forgets a connection that has failed; returns whether it had carried a response before.
    pub fn forget(&self, failed: &CaptureConnection) -> bool {
        let mut extensions = Extensions::new();
        if let Some(connected) = &*failed.connection_metadata() {
            connected.get_extras(&mut extensions);
        }
        let connection = extensions.get::<HttpInfo>();
        connection.is_some_and(|connection| self.0.lock().remove(&connection.local_addr()))
    }
}
