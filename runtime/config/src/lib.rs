//! The configuration of an application, from text to checked types.
//!
//! [`manifest`] reads `spin.toml`, [`policy`] its `tool.socar` tables, and [`runtime_config`] a runtime configuration in
//! Spin's own format. A value that leaves this crate is valid: a running host never meets a wrong one. Nothing here
//! runs a component or opens a store.

pub mod manifest;
pub mod policy;
pub mod runtime_config;
