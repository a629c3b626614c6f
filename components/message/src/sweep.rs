//! Periodic recovery: retire message numbers that a crash left unused. Messages need no recovery: an event whose
//! reaction failed is delivered again.

use crate::repository::MessageRepository;
use events::MessageId;
use kit::{
    Backlog, ChangeError, Lookup, Platform, SweepFailures, http::Problem, numbering::orphans,
};
use std::convert::Infallible;

/// Removes unused numbers from the pages, and returns how many. Idempotent.
///
/// # Errors
///
/// A [`Problem`] with the first failure; the next sweep continues.
pub async fn sweep<P: Platform>(messages: &MessageRepository<P>) -> Result<usize, Problem> {
    let mut failures = SweepFailures::default();
    let backlog = Backlog::load(&messages.platform, &[orphans::SUSPICION]).await;
    let backlog = failures.check(backlog).unwrap_or_default();
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        let lookup = messages.find_by_number(MessageId(number)).await?;
        Ok(matches!(lookup, Lookup::Found(_)))
    };
    let retired = orphans::sweep(&messages.platform, &backlog, exists, &mut failures).await;
    failures.into_result(retired)
}
