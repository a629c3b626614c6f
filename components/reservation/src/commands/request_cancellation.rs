//! Request cancellation: the customer gives the reservation up. ReservationCancelRequested makes the payment context
//! refund the payment, and its PaymentCancelled closes the saga.

use crate::{
    cause_of::cause_of,
    domain::{Refusal, Reservation, SagaToken, Stage},
    ports::ReservationPorts,
};
use events::ReservationId;
use kit::{ChangeError, Origin, Platform, Versioned};
use std::time::Duration;

/// How often an undecided reservation is loaded before the request is refused.
const POLLS: u32 = 40;
/// The time between two polls. All polls together take at most 1 s.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Requests the cancellation of a reservation. `check` can refuse the reservation as it is stored. Idempotent.
///
/// # Errors
///
/// [`Refusal`], what `check` returns, and [`ChangeError`] when the store fails.
pub async fn request_cancellation<P: Platform, C, Y, R: From<Refusal>>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    check: impl Fn(&Versioned<Reservation>) -> Result<(), R>,
) -> Result<Versioned<Reservation>, ChangeError<R>> {
    await_decision(ports, id).await?;
    let cancel = |saga: &SagaToken, reservation: &Versioned<Reservation>, at| {
        check(reservation)?;
        let cause = cause_of(origin);
        Ok(reservation.state.request_cancellation(saga, at, cause)?)
    };
    let reservations = ports.reservations();
    let found = reservations.find::<R>(id).await?;
    let may_begin = |found: &Versioned<Reservation>| {
        matches!(found.state.stage, Stage::Requested | Stage::Reserved { .. })
    };
    if !found.as_ref().is_some_and(may_begin) {
        // No saga begins: the transition is refused, or has taken place.
        let cancel = |found: &Versioned<Reservation>, at| cancel(&SagaToken::default(), found, at);
        return reservations.transition(origin, id, cancel).await;
    }
    // The saga is opened before the transition, so that the sweep finds it after a crash.
    let note = ports.sagas().open(id).await?;
    let cancelled = reservations
        .transition(origin, id, |found, at| cancel(&note.token, found, at))
        .await;
    let is_of_another_saga = match &cancelled {
        Ok(reservation) => reservation.state.saga != note.token,
        Err(ChangeError::Refused(_)) => true,
        // The transition may have taken place.
        Err(_) => false,
    };
    if is_of_another_saga {
        ports.sagas().close(&note).await;
    }
    cancelled
}

/// Waits while the reservation is undecided: a customer can be faster than the event that confirms it.
async fn await_decision<P: Platform, C, Y, R>(
    ports: &ReservationPorts<P, C, Y>,
    id: ReservationId,
) -> Result<(), ChangeError<R>> {
    for _ in 0..POLLS {
        match ports.reservations().find::<R>(id).await? {
            Some(reservation) if reservation.state.stage == Stage::Requested => {
                ports.platform.sleep(POLL_INTERVAL).await;
            }
            _ => break,
        }
    }
    Ok(())
}
