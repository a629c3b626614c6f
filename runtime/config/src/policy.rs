//! Policies: the `tool.socar` tables of a manifest, which stock Spin ignores.
//!
//! A missing key is inherited: a component inherits from the application, a link from the component it leads to. Every
//! key is read in one place: [`ComponentPolicy`] reads the keys of a component, [`LinkPolicy`] those of a link,
//! [`ListenerLimits`] those of the listener, [`IdentityPolicy`] those of access tokens. A new key is a field, its default, one line that reads it and a row in
//! `docs/src/policies.md`.

mod application;
mod breaker;
mod changes;
mod component;
mod fallback;
mod identity;
mod link_policy;
pub mod links;
mod listener;
mod networks;
mod priorities;
mod redis_grants;
mod retry;
mod value;
mod variable_kinds;

pub(crate) use application::ApplicationPolicy;
pub use changes::{ChangesPolicy, PublicEvents};
pub use component::{ComponentPolicy, EventDelivery, InstanceBounds, MEMORY_BOUNDS};
pub use fallback::Fallback;
pub use identity::IdentityPolicy;
pub use link_policy::LinkPolicy;
pub use links::{LinkPolicies, OutboundPolicies};
pub use listener::ListenerLimits;
pub use networks::Network;
pub use priorities::{MethodPriorities, PriorityNames};
pub use redis_grants::RedisGrants;
pub use retry::RetryPolicy;
pub(crate) use variable_kinds::{VariableKind, VariableKinds};
