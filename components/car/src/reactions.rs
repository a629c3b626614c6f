//! What events of other contexts cause here. Each reaction is a no-op in the state it leads to, so
//! that an event may arrive twice.

mod reservation_cancelled;
mod reservation_confirmed;
mod reservation_rejected;

use crate::CarRepository;
use events::{CloudEvent, Event, ReservationState};
use kit::{ChangeError, Decision, Origin, Platform};
use std::convert::Infallible;

/// Reacts to an event, if it concerns cars.
///
/// # Errors
///
/// What the store cannot do; the event is then to be delivered again.
pub async fn react<P: Platform>(
    cars: &CarRepository<P>,
    event: &CloudEvent,
) -> Result<(), ChangeError<Infallible>> {
    let origin = Origin::from_event(event);
    match &event.event {
        Event::ReservationConfirmed(reservation) => {
            reservation_confirmed::react(cars, &origin, reservation).await
        }
        Event::ReservationCancelled(reservation) => {
            reservation_cancelled::react(cars, &origin, reservation).await
        }
        Event::ReservationRejected(reservation) => {
            reservation_rejected::react(cars, &origin, reservation).await
        }
        _ => Ok(()),
    }
}

/// Frees the car of a reservation that is over.
async fn free<P: Platform>(
    cars: &CarRepository<P>,
    origin: &Origin,
    reservation: &ReservationState,
) -> Result<(), ChangeError<Infallible>> {
    cars.change(reservation.car_id, origin, |car| {
        Ok(
            match car.and_then(|car| car.state.remove_booking(reservation.rsv_id)) {
                Some((car, event)) => Decision::Commit(car, event.into_iter().collect(), ()),
                None => Decision::Keep(()),
            },
        )
    })
    .await?;
    Ok(())
}
