//! The viewpage context: the read model of the platform.
//!
//! It owns one row per car, joined with the car's latest reservation that was not rejected and the payment of that
//! reservation. It accepts no commands and announces nothing. It reacts to every event of cars, reservations and payments
//! ([`projection`]), in any order and any number of times. It answers queries for pages of rows, filtered and sorted by
//! every column and searched by text, and for single rows ([`queries`], [`http`]).
//!
//! The rows are in a SQL database behind the port [`ports::Database`]. All SQL is in [`sql`], free of Spin, so that it runs
//! in native tests. The read model can be rebuilt while the old rows serve queries ([`rebuild`]).

pub mod authorization;
pub mod car_view;
pub mod column;
#[cfg(test)]
mod fixtures;
pub mod generation;
pub mod http;
pub mod list_query;
#[cfg(not(target_arch = "wasm32"))]
pub mod memory;
pub mod ports;
pub mod projection;
pub mod queries;
pub mod read_model;
pub mod read_model_store;
pub mod rebuild;
pub mod search_text;
pub mod source_context;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sql;
pub mod sql_value;
pub mod summary;

pub use generation::ReadModelGeneration;
pub use ports::{Database, DatabaseError};
pub use read_model::ReadModel;
pub use sql_value::SqlValue;
