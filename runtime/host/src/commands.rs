//! The commands of `socar` besides `up`: each works on the state of a platform, or on a running one.

pub mod accept_store;
pub mod compile;
pub mod dead_letters;
pub mod identity_keys;
pub mod platform_token;
pub mod rebuild;
pub mod registry;
pub mod relay;
pub mod reload;
pub mod token;
