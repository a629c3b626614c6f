//! An operation of a guest on a store, a database or a server: its timeout, and its span where such operations have one.

use std::fmt;
use std::sync::Arc;

use super::View;
use crate::availability::BackendError;
use crate::host_call_timeout::{HostCallTimedOut, HostCallTimeout};
use crate::span::{self, Span};

/// The label of a store, if its operations have spans: nothing else needs it.
pub type StoreLabel = Option<Arc<str>>;

/// An operation that has begun.
pub struct StoreOperation {
    timeout: HostCallTimeout,
    span: Span,
}

/// The label of a store that is opened.
pub fn label(text: &str) -> StoreLabel {
    span::store::is_on().then(|| text.into())
}

impl View<'_> {
    /// Begins an operation on the store with this label, of a system such as `redis`.
    pub(super) fn begin_operation(
        &self,
        system: &'static str,
        name: &str,
        label: &StoreLabel,
    ) -> StoreOperation {
        let span = self
            .call
            .map(|call| span::store::operation(&call.trace, system, name, label.as_deref()));
        StoreOperation {
            timeout: self.host_call_timeout(),
            span: span.unwrap_or_default(),
        }
    }
}

// === impl StoreOperation ===

impl StoreOperation {
    /// Waits for a step of the operation, at most until the timeout of a host call.
    ///
    /// # Errors
    /// The error of the step, or [`HostCallTimedOut`].
    pub async fn wait<A, E>(&mut self, step: impl Future<Output = Result<A, E>>) -> Result<A, E>
    where
        E: From<HostCallTimedOut> + BackendError + fmt::Display,
    {
        let done = self.timeout.wait(step).await;
        if let Err(error) = &done {
            let kind = match error.is_unavailable() {
                true => "unavailable",
                false => "refused",
            };
            self.span.fail(kind, error);
        }
        done
    }
}
