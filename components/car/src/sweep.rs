//! What time alone must finish: events that a crash left unpublished, numbers that it took.

use crate::CarRepository;
use events::{CAR_STREAM, CarId};
use kit::{ChangeError, Platform, numbering::orphans, outbox};
use std::convert::Infallible;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    /// Left-over events and intents.
    pub outbox: outbox::SweepReport,
    /// Numbers taken out of the pages.
    pub retired: usize,
}

/// Finishes what is left over.
///
/// # Errors
///
/// The store's or the log's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform>(cars: &CarRepository<P>) -> Result<SweepSummary, String> {
    let outbox = outbox::sweep(&cars.platform, CAR_STREAM).await?;
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        Ok(cars.find(CarId(number)).await?.is_some())
    };
    let retired = orphans::sweep(&cars.platform, exists).await;
    let retired = retired.map_err(|error| error.to_string())?;
    Ok(SweepSummary { outbox, retired })
}
