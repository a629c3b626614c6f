//! The two backends that keep state and the event log: an embedded SQLite file and a Redis server.
//!
//! [`database`] commits in batches and tells a caller when its writes are durable; [`remote`] is one self-healing
//! connection to a Redis server. What is kept there, and in which form, is the concern of the callers.

pub mod database;
pub mod remote;
