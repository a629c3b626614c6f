//! The configuration of an application: text in, checked types out.
//!
//! [`manifest`] reads `spin.toml`, [`policy`] its `tool.socar` tables, and [`runtime_config`] a runtime configuration in
//! Spin's own format. The host receives only valid values. This crate runs no component and opens no store.
//!
//! The modules import each other in one direction: `document` (TOML with locations) <- [`policy`] <- [`manifest`] <-
//! [`runtime_config`].

mod document;
pub mod manifest;
pub mod policy;
pub mod redis_url;
pub mod runtime_config;
mod text_file;

pub use document::{ConfigError, Located, Location, without_credentials};
pub use text_file::{TextFileError, read_text_file};
