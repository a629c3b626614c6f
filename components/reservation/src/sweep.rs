//! Periodic recovery: publish events that a crash left unpublished, finish open sagas, drop expired idempotency keys,
//! retire reservation numbers that a crash left unused.

use crate::{
    domain::Refusal,
    ports::{Cars, Payments, ReservationPorts},
    recovery::{RecoveryOutcome, TAKEOVER_AGE, recover},
    saga_log::{self, open_sagas},
};
use events::{RESERVATION_STREAM, ReservationId};
use kit::{
    Backlog, ChangeError, Platform, SweepFailures, http::Problem, idempotency, numbering::orphans,
    outbox,
};
use std::time::Duration;

/// For how long one sweep starts to recover sagas, so that a context that does not respond leaves time for other tasks.
const BUDGET: Duration = Duration::from_millis(1500);

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

/// Recovers once. Idempotent. A failure in one place does not keep the others from being recovered.
///
/// # Errors
///
/// A [`Problem`] with the first failure; the next sweep continues.
pub async fn sweep<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
) -> Result<SweepSummary, Problem> {
    let platform = &ports.platform;
    let mut failures = SweepFailures::default();
    let backlog = Backlog::load(
        platform,
        &[outbox::INTENT, saga_log::SAGA, orphans::SUSPICION],
    );
    let backlog = failures.check(backlog.await).unwrap_or_default();
    let mut summary = SweepSummary {
        outbox: outbox::sweep(platform, RESERVATION_STREAM, &backlog, &mut failures).await,
        ..SweepSummary::default()
    };
    recover_all(ports, &backlog, &mut summary, &mut failures).await;
    let expired = idempotency::sweep(platform).await;
    summary.expired = failures.check(expired).unwrap_or_default();
    let exists = async |number| -> Result<bool, ChangeError<Refusal>> {
        let found = ports.reservations().find(ReservationId(number)).await?;
        Ok(found.is_some())
    };
    summary.retired = orphans::sweep(platform, &backlog, exists, &mut failures).await;
    failures.into_result(summary)
}

async fn recover_all<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    backlog: &Backlog,
    summary: &mut SweepSummary,
    failures: &mut SweepFailures,
) {
    let start = ports.platform.now();
    for (note, age) in open_sagas(backlog).filter(|(_, age)| *age >= TAKEOVER_AGE) {
        if ports.platform.now().distance(start) > BUDGET {
            summary.open += 1;
            continue;
        }
        // A saga that cannot be finished must not block the others.
        match failures.check(recover(ports, &note, age).await) {
            Some(RecoveryOutcome::Closed) => summary.ended += 1,
            Some(RecoveryOutcome::StillOpen) | None => summary.open += 1,
        }
    }
}
