//! The components of one generation, for the links that lead to them.
//!
//! The references are weak: a component holds its outgoing links, and with them the components that it may call.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::admission::Admission;
use crate::component::Component;

/// The components of one generation by id.
pub type ComponentRegistry = BTreeMap<String, RegisteredComponent>;

/// A component and the admission that its callers share.
#[derive(Clone)]
pub struct RegisteredComponent {
    /// Its id.
    pub id: Arc<str>,
    /// The component, as long as its generation lives.
    pub component: Weak<Component>,
    /// The admission of all links without their own.
    pub admission: Arc<Admission>,
    /// The wall-clock time of one call.
    pub deadline: Duration,
}

// === impl RegisteredComponent ===

impl RegisteredComponent {
    /// Registers a component.
    pub fn new(component: &Arc<Component>, admission: &Arc<Admission>) -> Self {
        Self {
            id: component.config().id.clone(),
            component: Arc::downgrade(component),
            admission: admission.clone(),
            deadline: component.config().deadline,
        }
    }
}
