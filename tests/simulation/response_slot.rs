//! The place where a call waits for its response.

use kit::http::Response;
use std::cell::RefCell;

/// The slot of one call. The first value counts; a timeout is a value, too.
#[derive(Debug, Default)]
pub struct ResponseSlot(RefCell<Option<Option<Response>>>);

impl ResponseSlot {
    /// Sets the value, unless it is set; nothing means a timeout.
    pub fn fill(&self, response: Option<Response>) {
        self.0.borrow_mut().get_or_insert(response);
    }

    /// Whether the value is set.
    pub fn is_filled(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// The response; nothing after a timeout. A later response is discarded.
    pub fn take(&self) -> Option<Response> {
        self.0.replace(Some(None)).flatten()
    }
}
