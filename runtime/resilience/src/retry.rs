//! Retries: a second chance for calls that can be made twice, without making bad times worse.
//!
//! Three things keep a retry from harm. The caller's [`RetryPolicy`] gives a copy of the request only if it is safe to
//! send it twice. The pause before each further attempt is drawn evenly between nothing and an exponentially growing
//! limit ("full jitter": M. Brooker, *Exponential Backoff and Jitter*,
//! <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>), so that those who failed together do
//! not come back together. And a [`RetryBudget`] shared by all calls of a link lets only a share of them be retries, so
//! that a failing service gets a little more load and not a multiple
//! (Finagle, *Retry Budgets*, <https://finagle.github.io/blog/2016/02/08/retry-budgets>).
//!
//! A retry has no error of its own: when it gives up, for whatever reason, the last result is the answer.

mod backoff;
mod budget;

pub use backoff::Backoff;
pub use budget::{RetryBudget, RetryBudgetSettings};
