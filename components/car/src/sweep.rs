//! Periodic recovery: publish events that a crash left unpublished, retire car numbers that a crash left unused.

use crate::repository::CarRepository;
use events::{CAR_STREAM, CarId};
use kit::{ChangeError, Platform, numbering::orphans, outbox};
use std::convert::Infallible;

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    /// Published events and discarded outbox intents.
    pub outbox: outbox::SweepReport,
    /// Numbers that were removed from the pages.
    pub retired: usize,
}

/// Recovers once. Idempotent.
///
/// # Errors
///
/// The failure of the store or of the event log, as text; the next sweep continues.
pub async fn sweep<P: Platform>(cars: &CarRepository<P>) -> Result<SweepSummary, String> {
    let outbox = outbox::sweep(&cars.platform, CAR_STREAM).await?;
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        Ok(cars.find(CarId(number)).await?.is_some())
    };
    let retired = orphans::sweep(&cars.platform, exists).await;
    let retired = retired.map_err(|error| error.to_string())?;
    Ok(SweepSummary { outbox, retired })
}
