//! Request cancellation: the customer gives the reservation up. The payment context hears of it by
//! the event and returns the money; its event closes the saga.

use crate::{
    Desk,
    domain::{Refusal, Reservation, Stage},
};
use events::ReservationId;
use kit::{ChangeError, Origin, Platform, Versioned};
use std::time::Duration;

/// How often and how long a request waits for a reservation that is being decided right now.
const LOOKS: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);

/// Gives a reservation up; `check` may still object to the reservation as it is.
///
/// # Errors
///
/// [`Refusal`], what `check` refuses, and what the store cannot do.
pub async fn request_cancellation<P: Platform, C, Y, R: From<Refusal>>(
    desk: &Desk<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    check: impl Fn(&Versioned<Reservation>) -> Result<(), R>,
) -> Result<Versioned<Reservation>, ChangeError<R>> {
    await_decision(desk, id).await?;
    let cancel = |reservation: &Versioned<Reservation>, at| {
        check(reservation)?;
        Ok(reservation
            .state
            .request_cancellation(at, &origin.causation_id)?)
    };
    let found = desk.find::<R>(id).await?;
    let stands =
        |found: &Versioned<Reservation>| matches!(found.state.stage, Stage::Reserved { .. });
    if found.as_ref().is_some_and(stands) {
        // Noted first, so that a crash after the step leaves somebody who knows.
        desk.begin(id).await?;
    }
    desk.step(origin, id, cancel).await
}

/// A customer may be quicker than the event that confirms: a moment's patience spares him a refusal.
async fn await_decision<P: Platform, C, Y, R>(
    desk: &Desk<P, C, Y>,
    id: ReservationId,
) -> Result<(), ChangeError<R>> {
    for _ in 0..LOOKS {
        match desk.find::<R>(id).await? {
            Some(reservation) if reservation.state.stage == Stage::Requested => {
                desk.platform.sleep(BETWEEN_LOOKS).await;
            }
            _ => break,
        }
    }
    Ok(())
}
