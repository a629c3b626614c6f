//! The event log and its subscriptions: the appended entries, and the entries that each context has yet to handle.
//! The subscriptions are those of `spin.toml`.

use crate::context::ContextId;
use events::CloudEvent;
use harness::event_streams;
use std::{cell::RefCell, collections::BTreeSet, rc::Rc, sync::OnceLock};

/// The streams that each context subscribes to.
fn subscriptions() -> &'static [BTreeSet<String>] {
    static SUBSCRIPTIONS: OnceLock<Vec<BTreeSet<String>>> = OnceLock::new();
    let read = |context: ContextId| event_streams(Some(context.component()));
    SUBSCRIPTIONS.get_or_init(|| ContextId::ALL.into_iter().map(read).collect())
}

/// The position of one context in the log.
#[derive(Clone, Debug, Default)]
struct Group {
    begun: BTreeSet<usize>,
    pending: Vec<usize>,
    handled: Vec<usize>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: RefCell<Vec<Rc<CloudEvent>>>,
    groups: RefCell<[Group; ContextId::ALL.len()]>,
}

impl Log {
    /// Appends an event, which becomes pending for every subscriber of its stream.
    pub fn append(&self, stream: &str, event: CloudEvent) {
        let mut entries = self.entries.borrow_mut();
        for context in ContextId::ALL {
            if subscriptions()[context as usize].contains(stream) {
                let group = &mut self.groups.borrow_mut()[context as usize];
                group.pending.push(entries.len());
            }
        }
        entries.push(Rc::new(event));
    }

    /// The entry at an index.
    pub fn entry(&self, index: usize) -> Rc<CloudEvent> {
        Rc::clone(&self.entries.borrow()[index])
    }

    /// The pending entries of a context, in the order of the log.
    pub fn pending(&self, context: ContextId) -> Vec<usize> {
        self.groups.borrow()[context as usize].pending.clone()
    }

    /// Whether no context has a pending entry.
    pub fn is_drained(&self) -> bool {
        let groups = self.groups.borrow();
        groups.iter().all(|group| group.pending.is_empty())
    }

    /// The entries that a context has handled.
    pub fn handled(&self, context: ContextId) -> Vec<usize> {
        self.groups.borrow()[context as usize].handled.clone()
    }

    /// Marks an entry as delivered to a context; false if it was delivered before.
    pub fn begin(&self, context: ContextId, index: usize) -> bool {
        let group = &mut self.groups.borrow_mut()[context as usize];
        group.begun.insert(index)
    }

    /// Marks an entry as handled by a context.
    pub fn acknowledge(&self, context: ContextId, index: usize) {
        let group = &mut self.groups.borrow_mut()[context as usize];
        if let Some(position) = group.pending.iter().position(|pending| *pending == index) {
            group.pending.remove(position);
            group.handled.push(index);
        }
    }
}
