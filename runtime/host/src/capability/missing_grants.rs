//! What a component asked for and was not granted, so that a start can be stopped that would only ever fail.

use parking_lot::Mutex;

/// A store or database that the manifest does not grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingGrant {
    /// The key of the manifest that would grant it.
    pub key: &'static str,
    /// Its label.
    pub label: String,
}

/// Remembers the first of them.
#[derive(Debug, Default)]
pub struct MissingGrants(Mutex<Option<MissingGrant>>);

impl MissingGrants {
    pub(super) fn note(&self, key: &'static str, label: &str) {
        self.0.lock().get_or_insert_with(|| MissingGrant {
            key,
            label: label.to_owned(),
        });
    }

    /// What was asked for first, if anything was.
    pub fn first(&self) -> Option<MissingGrant> {
        self.0.lock().clone()
    }
}
