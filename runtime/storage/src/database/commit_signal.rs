//! The condition that the commit thread waits for: a batch is open, and it is old enough or a caller waits for it.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The longest time that a batch stays open while no caller waits for it. Other processes cannot write meanwhile.
const MAX_BATCH_AGE: Duration = Duration::from_millis(5);

/// Connects the callers that write with the thread that commits.
#[derive(Default)]
pub(super) struct CommitSignal {
    state: Mutex<SignalState>,
    changed: Condvar,
}

#[derive(Default)]
struct SignalState {
    batch_open: bool,
    commit_requested: bool,
    closed: bool,
}

impl CommitSignal {
    /// Reports that a batch was begun.
    pub fn batch_begun(&self) {
        self.state.lock().batch_open = true;
        self.changed.notify_one();
    }

    /// Requests the commit of the open batch.
    pub fn request_commit(&self) {
        let mut state = self.state.lock();
        if !state.commit_requested {
            state.commit_requested = true;
            self.changed.notify_one();
        }
    }

    /// Ends the wait of the commit thread for good.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_one();
    }

    /// Blocks until a batch is due; returns `false` once the signal is closed.
    pub fn wait_until_due(&self) -> bool {
        let mut state = self.state.lock();
        while !state.batch_open && !state.closed {
            self.changed.wait(&mut state);
        }
        let due = Instant::now() + MAX_BATCH_AGE;
        while !state.commit_requested
            && !state.closed
            && !self.changed.wait_until(&mut state, due).timed_out()
        {}
        state.batch_open = false;
        state.commit_requested = false;
        !state.closed
    }
}
