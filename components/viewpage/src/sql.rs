//! All SQL of the context, as text: values in, text out, no database in sight.
//!
//! Names of tables, indexes and triggers are written with a `$` in front, which becomes the name of
//! the read model's generation.

pub mod list;
pub mod rank_index;
pub mod schema;
pub mod upsert;

use crate::Column;

/// The columns of a row, in order, for a SELECT.
fn columns() -> String {
    Column::NAMES.join(", ")
}

#[cfg(test)]
mod tests;
