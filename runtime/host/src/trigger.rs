//! What wakes a component: a request from outside, a message, or the clock.

pub mod events;
pub mod http;
pub mod sweep;
