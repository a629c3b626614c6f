//! Ends the body of a failed guest with an error. A guest that is gone sends no more, and without a known length the part
//! that it sent looks complete.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime_wasi_http::{Error, WasiBody};

use super::{BodyObserver, ObservedBody};

/// A body that ends with an error if its guest failed.
pub type CompleteBody = ObservedBody<RequireCompletion>;

/// Requires that the guest did not fail when the body ends.
pub struct RequireCompletion(AbortFlag);

/// Whether the guest that handles a call failed. Clones share the flag.
#[derive(Clone, Debug, Default)]
pub struct AbortFlag(Arc<AtomicBool>);

// === impl CompleteBody ===

impl CompleteBody {
    /// The body that a guest sends.
    pub fn new(body: WasiBody, abort_flag: AbortFlag) -> Self {
        Self::observed(body, RequireCompletion(abort_flag))
    }
}

impl BodyObserver for RequireCompletion {
    fn on_end(&mut self) -> Result<(), Error> {
        match self.0.is_set() {
            true => Err(Error::ConnectionTerminated),
            false => Ok(()),
        }
    }

    fn may_end(&self) -> bool {
        !self.0.is_set()
    }
}

// === impl AbortFlag ===

impl AbortFlag {
    /// The guest failed before it finished.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
