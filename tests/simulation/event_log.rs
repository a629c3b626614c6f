//! The event log and its subscriptions: the appended entries, and the entries that each context has yet to handle.
//! The subscriptions are those of `spin.toml`.

use crate::context::ContextId;
use events::CloudEvent;
use harness::event_streams;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
    sync::OnceLock,
};

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
    parked: Vec<usize>,
}

/// The log.
#[derive(Debug, Default)]
pub struct Log {
    entries: RefCell<Vec<Rc<CloudEvent>>>,
    groups: RefCell<[Group; ContextId::ALL.len()]>,
    /// The first entry that retention has not removed.
    first: Cell<usize>,
}

/// The entries and positions of the log at one time.
#[derive(Debug)]
pub struct LogSnapshot {
    entries: Vec<Rc<CloudEvent>>,
    groups: [Group; ContextId::ALL.len()],
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

    /// Whether no context has a pending or a parked entry.
    pub fn is_drained(&self) -> bool {
        let groups = self.groups.borrow();
        let is_drained = |group: &Group| group.pending.is_empty() && group.parked.is_empty();
        groups.iter().all(is_drained)
    }

    /// Moves a pending entry of a context to its dead letters.
    pub fn park(&self, context: ContextId, index: usize) {
        let group = &mut self.groups.borrow_mut()[context as usize];
        if let Some(position) = group.pending.iter().position(|pending| *pending == index) {
            group.pending.remove(position);
            group.parked.push(index);
        }
    }

    /// Offers all dead letters again.
    pub fn redrive(&self) {
        for group in self.groups.borrow_mut().iter_mut() {
            group.pending.append(&mut group.parked);
        }
    }

    /// Removes the oldest entries, at most `most` of them, which every context has handled.
    pub fn trim(&self, most: usize) {
        let groups = self.groups.borrow();
        let is_open = |index: &usize| {
            let mut groups = groups.iter();
            groups.any(|group| group.pending.contains(index) || group.parked.contains(index))
        };
        let end = self.entries.borrow().len();
        let open = (0..end).find(is_open).unwrap_or(end);
        self.first.set(open.min(self.first.get() + most));
    }

    /// The entries that retention has not removed.
    pub fn retained(&self) -> Vec<Rc<CloudEvent>> {
        self.entries.borrow()[self.first.get()..].to_vec()
    }

    /// The entries and positions at this time.
    pub fn snapshot(&self) -> LogSnapshot {
        LogSnapshot {
            entries: self.entries.borrow().clone(),
            groups: self.groups.borrow().clone(),
        }
    }

    /// Sets the entries and positions back.
    pub fn restore(&self, snapshot: &LogSnapshot) {
        self.entries.replace(snapshot.entries.clone());
        self.groups.replace(snapshot.groups.clone());
        self.first.set(self.first.get().min(snapshot.entries.len()));
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
