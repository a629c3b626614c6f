//! What keeps a lost batch of writes from being half of a history.
//!
//! A crash loses the newest writes, and with them everything that knew of them. When a batch cannot be committed, because the
//! disk is full for example, the process goes on: calls in progress have read and written what is lost, and events were
//! handled whose effects are lost. A fence makes both the same. It closes with the lost batch: nothing more is written
//! until the owner of the fence has seen to it that no call knows of the lost writes any more, and opens it.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;

/// Closes for all databases that share it when a batch of one of them is lost.
pub struct WriteFence {
    state: watch::Sender<FenceState>,
    calls: Mutex<Calls>,
}

/// Whether writes are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FenceState {
    /// No owner would open it again, so it never closes.
    Absent,
    Open,
    Closed,
}

/// A call in progress: the fence that closes meanwhile knows of it.
#[derive(Debug)]
pub struct FencedCall(#[expect(dead_code, reason = "its drop counts")] Arc<()>);

#[derive(Default)]
struct Calls {
    /// One handle for each call since the last lost batch, and this one.
    present: Arc<()>,
    /// The calls that have begun before a lost batch.
    earlier: Vec<Weak<()>>,
}

impl Default for WriteFence {
    fn default() -> Self {
        Self {
            state: watch::Sender::new(FenceState::Absent),
            calls: Mutex::default(),
        }
    }
}

impl WriteFence {
    /// From now on the fence closes. The caller opens it again each time ([`WriteFence::closed`]).
    pub fn activate(&self) {
        self.state.send_if_modified(|state| {
            let is_absent = *state == FenceState::Absent;
            if is_absent {
                *state = FenceState::Open;
            }
            is_absent
        });
    }

    /// Waits until the fence is closed.
    pub async fn closed(&self) {
        let mut state = self.state.subscribe();
        // The sender lives as long as this borrow.
        let _ = state.wait_for(|state| *state == FenceState::Closed).await;
    }

    /// Whether calls are in progress that had begun before a batch was lost.
    pub fn has_earlier_calls(&self) -> bool {
        let mut calls = self.calls.lock();
        calls.earlier.retain(|call| call.strong_count() > 0);
        !calls.earlier.is_empty()
    }

    /// Accepts writes again.
    pub fn open(&self) {
        self.calls.lock().earlier.clear();
        self.state.send_if_modified(|state| {
            let was_closed = *state == FenceState::Closed;
            if was_closed {
                *state = FenceState::Open;
            }
            was_closed
        });
    }

    /// A call that begins now, until the result is dropped.
    pub fn call(&self) -> FencedCall {
        FencedCall(self.calls.lock().present.clone())
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.state.borrow() == FenceState::Closed
    }

    /// A batch is lost.
    pub(super) fn close(&self) {
        if *self.state.borrow() == FenceState::Absent {
            return;
        }
        {
            let mut calls = self.calls.lock();
            let earlier = std::mem::take(&mut calls.present);
            calls.earlier.push(Arc::downgrade(&earlier));
        }
        self.state.send_if_modified(|state| {
            let was_open = *state == FenceState::Open;
            if was_open {
                *state = FenceState::Closed;
            }
            was_open
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn a_fence_without_an_owner_never_closes() {
        let fence = WriteFence::default();
        fence.close();
        assert!(!fence.is_closed());
    }

    #[test]
    fn a_fence_knows_the_calls_from_before_a_lost_batch() {
        let fence = WriteFence::default();
        fence.activate();
        let (first, second) = (fence.call(), fence.call());
        fence.close();
        let later = fence.call();
        fence.close();
        drop(first);
        assert!(fence.is_closed() && fence.has_earlier_calls());
        drop(second);
        assert!(fence.has_earlier_calls());
        drop(later);
        assert!(!fence.has_earlier_calls());
        assert!(fence.closed().now_or_never().is_some());
        fence.open();
        assert!(!fence.is_closed());
        assert!(fence.closed().now_or_never().is_none());
    }
}
