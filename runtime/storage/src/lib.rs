//! The two backends that keep state and the event log: an embedded SQLite file and a Redis server.
//!
//! [`database`] commits in batches and tells a caller when its writes are durable; [`redis_client`] is one self-healing
//! connection to a Redis server. What is kept there, and in which form, is the concern of the callers.

pub mod database;
pub mod redis_client;
