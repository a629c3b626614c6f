//! All SQL of the context, as text: these modules map values to texts, and use no database.
//!
//! Names of tables, indexes and triggers have a `$` in front, which the read model replaces by the prefix of its
//! generation.

pub mod charges;
pub mod customer_cars;
pub mod list;
pub mod rank_index;
pub mod schema;
pub mod summary;
pub mod text_index;
pub mod upsert;

#[cfg(test)]
mod tests;
