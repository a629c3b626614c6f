//! Ingress: a component with the links that lead to it from the platform itself, and not from another component.

use std::sync::Arc;

use resilience::Priority;

use crate::admission::Admission;
use crate::capability::sqlite::database::GuestDatabase;
use crate::component::Component;
use crate::link::ComponentLink;

/// How the triggers of the platform call one component.
#[derive(Clone)]
pub struct Ingress {
    /// The component.
    pub component: Arc<Component>,
    /// Whether clients need no access token, on a platform with identity.
    pub public: bool,
    /// The admission that links without their own concurrency share.
    pub admission: Arc<Admission>,
    /// The priority of sweeps and events.
    pub background_priority: Priority,
    /// The databases that it derives from the event log, if its events go to each host.
    pub read_models: Vec<Arc<GuestDatabase>>,
    /// All its databases.
    pub databases: Vec<Arc<GuestDatabase>>,
    /// The link for requests of clients: `gateway -> component`.
    pub gateway: Arc<ComponentLink>,
    /// The link for sweeps and rebuilds: `clock -> component`.
    pub clock: Arc<ComponentLink>,
}
