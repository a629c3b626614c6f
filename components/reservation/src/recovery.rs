//! Recovery of an open saga: finish it, or compensate it.
//!
//! The saga's own request is gone, or did not finish it. Every step here is idempotent, so a recovery can itself be
//! interrupted at any point.

use crate::{
    domain::{Refusal, RejectionReason, Stage},
    ports::{Cars, Payments, ReleaseOutcome, ReservationPorts},
};
use events::{CarId, ReservationId};
use kit::{ChangeError, Origin, Platform};
use std::time::Duration;

/// The age at which an open saga is taken over: longer than any call can run, so that its own request has ended.
pub const TAKEOVER_AGE: Duration = Duration::from_secs(10);
/// The age at which an open saga without a reservation is dropped: its request can no longer store one.
const ABANDONED_AGE: Duration = Duration::from_secs(120);

/// The result of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The saga is finished and closed.
    Closed,
    /// The saga stays open: another context does not respond, or the saga is too young.
    StillOpen,
}

/// Recovers the saga of a reservation. `age` is how long ago the saga was opened.
///
/// # Errors
///
/// [`ChangeError`] when the store fails.
pub async fn recover<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    id: ReservationId,
    age: Duration,
) -> Result<RecoveryOutcome, ChangeError<Refusal>> {
    let origin = Origin::new(&ports.platform.unique_id());
    let is_finished = match ports.reservations().find::<Refusal>(id).await? {
        None => age >= ABANDONED_AGE,
        Some(reservation) => {
            let stage = decided_stage(ports, &origin, id, reservation.state.stage).await?;
            finish(ports, &origin, id, reservation.state.car, stage, age).await?
        }
    };
    if !is_finished {
        return Ok(RecoveryOutcome::StillOpen);
    }
    ports.sagas().close(id).await;
    Ok(RecoveryOutcome::Closed)
}

/// Decides a reservation that is still requested: confirmed if it is paid, rejected if not. Without a response of the
/// payment context it stays requested.
async fn decided_stage<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    stage: Stage,
) -> Result<Stage, ChangeError<Refusal>> {
    if stage != Stage::Requested {
        return Ok(stage);
    }
    let Ok(payment) = ports.payments.paid_payment(origin, id).await else {
        return Ok(stage);
    };
    let cause = &origin.causation_id;
    let decided = ports
        .reservations()
        .transition(origin, id, |reservation, at| {
            let reservation = &reservation.state;
            Ok::<_, Refusal>(match payment {
                Some(payment) => reservation.confirm(payment, at, cause),
                None => reservation.reject(RejectionReason::Interrupted, at, cause),
            })
        })
        .await?;
    Ok(decided.state.stage)
}

/// Completes what is left to do in a stage; false when something is left to do.
async fn finish<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    car: CarId,
    stage: Stage,
    age: Duration,
) -> Result<bool, ChangeError<Refusal>> {
    match stage {
        Stage::Requested => Ok(false),
        Stage::Reserved { .. } | Stage::Cancelled { .. } => Ok(true),
        Stage::CancelRequested { .. } => refund(ports, origin, id).await,
        Stage::Rejected { .. } => Ok(compensate(ports, origin, id, car, age).await),
    }
}

/// Cancels the payment and releases the car of a rejected reservation; false when a call failed.
async fn compensate<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    car: CarId,
    age: Duration,
) -> bool {
    if ports.payments.cancel(origin, id).await.is_err() {
        return false;
    }
    match ports.cars.release(origin, car, id).await {
        Ok(ReleaseOutcome::Released) => true,
        // At that age no delayed hold can arrive any more.
        Ok(ReleaseOutcome::UnknownCar) => age >= TAKEOVER_AGE,
        Err(_) => false,
    }
}

/// Refunds a payment whose cancellation event was lost; false when the payment context does not respond.
async fn refund<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
) -> Result<bool, ChangeError<Refusal>> {
    if ports.payments.cancel(origin, id).await.is_err() {
        return Ok(false);
    }
    ports
        .reservations()
        .transition(origin, id, |reservation, at| {
            Ok::<_, Refusal>(reservation.state.cancel(at, &origin.causation_id))
        })
        .await?;
    Ok(true)
}
