//! The twins of the ports: the same traits that the Spin adapters implement, over plain values, each
//! call of which is one scheduling point, one crash point, and may go wrong.

mod calls;
mod contexts;
mod gateway;
mod platform;
mod store;
mod view;

pub use calls::{ResponseSlot, request};
pub use contexts::{Context, Contexts};
pub use gateway::GatewayAccount;

pub use store::{FakeStore, poll_ready};
