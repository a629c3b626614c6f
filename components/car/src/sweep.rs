//! Periodic recovery: publish events that a crash left unpublished, retire car numbers that a crash left unused.

use crate::{domain::Car, repository::CarRepository};
use events::{CAR_STREAM, CarId};
use kit::{
    Backlog, ChangeError, Platform, SweepFailures, http::Problem, numbering::orphans, outbox,
};
use std::convert::Infallible;

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    /// Published events and discarded outbox intents.
    pub outbox: outbox::SweepReport,
    /// Numbers that were removed from the pages.
    pub retired: usize,
}

/// Recovers once. Idempotent. A failure in one place does not keep the others from being recovered.
///
/// # Errors
///
/// A [`Problem`] with the first failure; the next sweep continues.
pub async fn sweep<P: Platform>(cars: &CarRepository<P>) -> Result<SweepSummary, Problem> {
    let platform = &cars.platform;
    let mut failures = SweepFailures::default();
    let backlog = Backlog::load(platform, &[outbox::INTENT, orphans::SUSPICION]).await;
    let backlog = failures.check(backlog).unwrap_or_default();
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        let found = cars.find(CarId(number)).await?;
        Ok(found.is_some_and(|car| !matches!(car.state, Car::Deleted { .. })))
    };
    let summary = SweepSummary {
        outbox: outbox::sweep(platform, CAR_STREAM, &backlog, &mut failures).await,
        retired: orphans::sweep(platform, &backlog, exists, &mut failures).await,
    };
    failures.into_result(summary)
}
