//! Where a call waits for its response.

use kit::http::Response;
use std::cell::RefCell;

/// Where an answer goes. The first one counts, and giving up is an answer too.
#[derive(Debug, Default)]
pub struct ResponseSlot(RefCell<Option<Option<Response>>>);

impl ResponseSlot {
    /// Fills it, unless somebody did.
    pub fn fill(&self, response: Option<Response>) {
        self.0.borrow_mut().get_or_insert(response);
    }

    /// Whether there is an answer.
    pub fn is_filled(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The answer; nothing when there was none in time. Later ones find nobody.
    pub fn take(&self) -> Option<Response> {
        self.0.replace(Some(None)).flatten()
    }
}
