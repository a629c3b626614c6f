//! The viewpage context: the fleet as one table, made to be looked at.
//!
//! It owns one row per car, joined with the car's latest reservation that was not rejected and that
//! one's payment. It accepts no commands and announces nothing. It hears every event of cars,
//! reservations and payments ([`projection`]), in any order and any number of times. It answers
//! with pages of rows, filtered and sorted by every column, and with single rows ([`queries`],
//! [`http`]). All of it can be made anew while the old rows answer ([`rebuild`]).
//!
//! The rows live in a SQL database behind the port [`ports::Rows`]; all SQL is in [`sql`], free of
//! Spin, so that it runs in native tests.

pub mod column;
#[cfg(test)]
mod fixtures;
pub mod http;
#[cfg(not(target_arch = "wasm32"))]
pub mod memory;
pub mod ports;
pub mod projection;
pub mod queries;
pub mod read_model;
pub mod read_model_store;
pub mod rebuild;
#[cfg(target_arch = "wasm32")]
mod spin;
pub mod sql;

pub use column::Column;
pub use ports::{ContextClient, Database, DatabaseError, SqlValue};
pub use projection::RowUpdate;
pub use read_model::{ReadModel, ReadModelGeneration};
pub use read_model_store::ReadModelStore;
