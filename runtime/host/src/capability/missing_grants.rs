//! The stores that a component opened without a grant: the host then refuses to start the component.

use parking_lot::Mutex;

/// A store or database that the manifest does not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingGrant {
    /// The key of the manifest that would grant it.
    pub key: &'static str,
    /// Its label.
    pub label: String,
}

/// The first missing grant of a component.
#[derive(Debug, Default)]
pub struct MissingGrants(Mutex<Option<MissingGrant>>);

impl MissingGrants {
    pub(super) fn note(&self, key: &'static str, label: &str) {
        self.0.lock().get_or_insert_with(|| MissingGrant {
            key,
            label: label.to_owned(),
        });
    }

    /// The first store or database that was opened without a grant.
    pub fn first(&self) -> Option<MissingGrant> {
        self.0.lock().clone()
    }
}
