//! Generators of random inputs for readers of foreign text. The tests that use them are the fuzz targets of this
//! workspace: their names begin with `any_`. `cargo test` runs each for a second, `cargo bolero` for as long as it is told,
//! guided by the coverage of the reader.

mod edits;
mod fragments;

pub use edits::{Edit, edited, edits};
pub use fragments::fragments;
