//! Release: the reservation context gives a hold up, also one whose arrival it is not sure of.

use crate::Fleet;
use events::{CarId, ReservationId};
use kit::{ChangeError, Decision, Origin, Platform};

/// Gives up what a reservation holds, now and in case the hold is still on its way. Releasing what
/// is not held, or from a car that is not there, is no error.
///
/// # Errors
///
/// What the store cannot do.
pub async fn release<P: Platform, R>(
    fleet: &Fleet<P>,
    origin: &Origin,
    id: CarId,
    reservation: ReservationId,
) -> Result<(), ChangeError<R>> {
    fleet
        .change(id, origin, |car| {
            Ok(match car.and_then(|car| car.state.give_up(reservation)) {
                Some((car, event)) => Decision::Commit(car, event.into_iter().collect(), ()),
                None => Decision::Keep(()),
            })
        })
        .await?;
    Ok(())
}
