//! Retries: another attempt for a failed call, without more load on a service that is already failing.
//!
//! Three rules keep retries harmless:
//!
//! - The caller retries only requests that can be sent twice.
//! - The delay before each further attempt is drawn evenly between zero and an exponentially growing limit: "full
//!   jitter" (M. Brooker, *Exponential Backoff and Jitter*,
//!   <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). Calls that failed together therefore
//!   do not return together. See [`Backoff`].
//! - All calls of a link share one budget, which lets only a percentage of them be retries. A failing service gets a
//!   little more load, and not a multiple (Finagle, *Retry Budgets*,
//!   <https://finagle.github.io/blog/2016/02/08/retry-budgets>). See [`RetryBudget`].

mod backoff;
mod budget;

pub use backoff::Backoff;
pub use budget::{RetryBudget, RetryBudgetSettings};

/// The retries of the calls over one link.
#[derive(Clone, Debug)]
pub struct Retries {
    /// Maximum number of further attempts of one call.
    pub attempts: u32,
    /// The delays before them.
    pub backoff: Backoff,
    /// The budget that all calls over the link share.
    pub budget: RetryBudget,
}
