//! Periodic recovery: publish events that a crash left unpublished, finish open sagas, drop expired idempotency keys,
//! retire reservation numbers that a crash left unused.

use crate::{
    domain::Refusal,
    ports::{Cars, Payments, ReservationPorts},
    recovery::{RecoveryOutcome, TAKEOVER_AGE, recover},
};
use events::{RESERVATION_STREAM, ReservationId};
use kit::{ChangeError, Platform, StoreError, idempotency, numbering::orphans, outbox};

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    /// Published events and forgotten outbox intents.
    pub outbox: outbox::SweepReport,
    /// Sagas that were finished.
    pub ended: usize,
    /// Sagas that stay open until another context responds.
    pub open: usize,
    /// Expired idempotency keys that were dropped.
    pub expired: u64,
    /// Numbers that were removed from the pages.
    pub retired: usize,
}

/// Recovers once. Idempotent.
///
/// # Errors
///
/// The failure of the store or of the event log, as text; the next sweep continues.
pub async fn sweep<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
) -> Result<SweepSummary, String> {
    let platform = &ports.platform;
    let mut summary = SweepSummary {
        outbox: outbox::sweep(platform, RESERVATION_STREAM).await?,
        ..SweepSummary::default()
    };
    let recovered = recover_all(ports, &mut summary).await;
    recovered.map_err(|error| error.to_string())?;
    let expired = idempotency::sweep(platform).await;
    summary.expired = expired.map_err(|error| error.to_string())?;
    let exists = async |number| -> Result<bool, ChangeError<Refusal>> {
        let found = ports.reservations().find(ReservationId(number)).await?;
        Ok(found.is_some())
    };
    let retired = orphans::sweep(platform, exists).await;
    summary.retired = retired.map_err(|error| error.to_string())?;
    Ok(summary)
}

async fn recover_all<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    summary: &mut SweepSummary,
) -> Result<(), StoreError> {
    for id in ports.sagas().open_sagas().await? {
        let age = ports.sagas().age(id).await?;
        let Some(age) = age.filter(|age| *age >= TAKEOVER_AGE) else {
            continue;
        };
        match recover(ports, id, age).await {
            Ok(RecoveryOutcome::Closed) => summary.ended += 1,
            // A saga that cannot be finished must not block the others.
            Ok(RecoveryOutcome::StillOpen) | Err(_) => summary.open += 1,
        }
    }
    Ok(())
}
