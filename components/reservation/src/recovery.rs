//! Recovery of an open saga: finish it, or compensate it.
//!
//! The saga's own request is gone, or did not finish it. Every step here is idempotent, so a recovery can itself be
//! interrupted at any point.

use crate::{
    cause_of::cause_of,
    domain::{Refusal, RejectionReason, Stage},
    ports::{Cars, Payments, ReleaseOutcome, ReservationPorts},
    saga_log::SagaNote,
};
use events::{CarId, ReservationId};
use kit::{ChangeError, Origin, Platform, numbering};
use std::time::Duration;

/// The age at which an open saga is taken over: longer than any call can run, so that its own request has ended. Sweeps
/// come every five seconds, so it is the third one that takes a saga over.
pub const TAKEOVER_AGE: Duration = Duration::from_secs(9);
/// The age at which an open saga without a reservation is dropped, since its request can no longer store one; and at
/// which a delayed hold can no longer arrive.
const ABANDONED_AGE: Duration = Duration::from_secs(120);

/// The result of a recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoveryOutcome {
    /// The saga is finished and closed.
    Closed,
    /// The saga stays open: another context does not respond, or the saga is too young.
    StillOpen,
}

/// Recovers the saga of a note. `age` is for how long it has been open, at least: only a saga from [`TAKEOVER_AGE`]
/// on is decided here, and a younger one is only completed.
///
/// # Errors
///
/// [`ChangeError`] when the store fails.
pub async fn recover<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    note: &SagaNote,
    age: Duration,
) -> Result<RecoveryOutcome, ChangeError<Refusal>> {
    let id = note.reservation;
    let origin = Origin::new(&ports.platform.unique_id());
    let is_finished = match ports.reservations().find::<Refusal>(id).await? {
        None => age >= ABANDONED_AGE,
        Some(reservation) => {
            // The attempt that stored the reservation may have died before it reinstated the number.
            numbering::reinstate(&ports.platform, id.0).await?;
            let stage = match reservation.state.stage {
                // A note of another token is of an earlier attempt under the same number; the present one is younger.
                Stage::Requested if age >= TAKEOVER_AGE && reservation.state.saga == note.token => {
                    decide(ports, &origin, id).await?
                }
                stage => stage,
            };
            finish(ports, &origin, id, reservation.state.car, stage, age).await?
        }
    };
    if !is_finished {
        return Ok(RecoveryOutcome::StillOpen);
    }
    ports.sagas().close(note).await;
    Ok(RecoveryOutcome::Closed)
}

/// Decides a reservation that is still requested: confirmed if it is paid, rejected if not. Without a response of the
/// payment context it stays requested.
async fn decide<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Stage, ChangeError<Refusal>> {
    let Ok(payment) = ports.payments.paid_payment(origin, id).await else {
        return Ok(Stage::Requested);
    };
    let cause = cause_of(origin);
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
        // A delayed hold would find the car, if the car were registered meanwhile.
        Ok(ReleaseOutcome::UnknownCar) => age >= ABANDONED_AGE,
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
            Ok::<_, Refusal>(reservation.state.cancel(at, cause_of(origin)))
        })
        .await?;
    Ok(true)
}
