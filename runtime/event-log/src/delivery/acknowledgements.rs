//! The news that a group has acknowledged entries, for readers of its progress in this process.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Tells that groups have acknowledged entries. Clones share their readers.
#[derive(Clone, Debug, Default)]
pub struct Acknowledgements(Arc<Mutex<HashMap<String, watch::Sender<()>>>>);

// === impl Acknowledgements ===

impl Acknowledgements {
    /// A receiver that changes after each acknowledgement of the group in this process. How far the group has come,
    /// [`crate::EventLog::acknowledged_up_to`] tells.
    pub fn of_group(&self, group: &str) -> watch::Receiver<()> {
        let mut groups = self.0.lock();
        let sender = groups.entry(group.to_owned()).or_default();
        sender.subscribe()
    }

    /// Notes that the group has acknowledged entries. A group without readers is forgotten.
    pub(super) fn note(&self, group: &str) {
        let mut groups = self.0.lock();
        let Some(sender) = groups.get(group) else {
            return;
        };
        if sender.send(()).is_err() {
            groups.remove(group);
        }
    }
}
