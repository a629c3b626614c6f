//! Reserve: the synchronous half of the saga. Persist, hold the car, have it paid, answer; the
//! event PaymentApproved does the rest.
//!
//! The order makes every crash survivable. The saga is noted before anything else, so the sweep
//! knows of it; the reservation is stored before the hold, so a hold never belongs to nobody; the
//! rejection is stored before anything is undone, so a payment that arrives late finds a closed
//! door. Undoing is idempotent, and the note stays until it is done.
//!
//! Where payment was not asked, or says that it has asked nobody, it is not told to cancel. Should
//! another attempt under the same number have been paid, PaymentApproved meets the rejection, and is
//! returned then.

use crate::{
    Desk,
    domain::{Reason, Refusal, Reservation, Stage},
    ports::{Aftermath, Approval, Cars, Hold, Payments, Release, Unreachable},
};
use events::{CarId, ReservationId};
use kit::{ChangeError, Origin, Platform, Versioned};

/// How the reservation stands when the customer is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The reservation: `reqReserve` when it is held and paid, `rejected` when not.
    pub reservation: Versioned<Reservation>,
    /// After how many seconds another try makes sense, when a context did not answer.
    pub retry_after: Option<u64>,
}

/// Reserves a car under a number that the caller has drawn.
///
/// # Errors
///
/// What the store cannot do. The sweep then ends what was begun.
pub async fn reserve<P: Platform, C: Cars, Y: Payments>(
    desk: &Desk<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    car: CarId,
) -> Result<Reserved, ChangeError<Refusal>> {
    desk.begin(id).await?;
    let reservation = desk.create(origin, id, car).await?;
    let saga = Saga {
        desk,
        origin,
        id,
        car,
    };
    match desk.cars.hold(origin, car, id).await {
        Ok(Hold::Held { amount }) => match desk.payments.approve(origin, id, car, amount).await {
            Ok(Approval::Paid(_)) => Ok(Reserved {
                reservation,
                retry_after: None,
            }),
            Ok(Approval::Declined) => saga.reject(Reason::PaymentDeclined, Undo::Hold, None).await,
            Err(silence) => {
                let undo = match silence.aftermath {
                    Aftermath::Nothing => Undo::Hold,
                    Aftermath::Unknown => Undo::All,
                    Aftermath::Silence => Undo::HoldAtFirst,
                };
                saga.reject(Reason::PaymentUnreachable, undo, Some(silence))
                    .await
            }
        },
        Ok(Hold::NotAvailable) => {
            saga.reject(Reason::CarNotAvailable, Undo::Nothing, None)
                .await
        }
        Ok(Hold::UnknownCar) => saga.reject(Reason::UnknownCar, Undo::Nothing, None).await,
        Err(silence) => {
            let undo = match silence.aftermath {
                Aftermath::Nothing => Undo::Nothing,
                Aftermath::Unknown | Aftermath::Silence => Undo::Hold,
            };
            saga.reject(Reason::CarUnreachable, undo, Some(silence))
                .await
        }
    }
}

/// What has to be undone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Undo {
    Nothing,
    Hold,
    All,
    /// All, but the payment context has just been waited for in vain: the customer does not wait for
    /// it again, as the sweep will ask it in any case.
    HoldAtFirst,
}

/// One reservation on its way.
struct Saga<'a, P, C, Y> {
    desk: &'a Desk<P, C, Y>,
    origin: &'a Origin,
    id: ReservationId,
    car: CarId,
}

impl<P: Platform, C: Cars, Y: Payments> Saga<'_, P, C, Y> {
    async fn reject(
        &self,
        reason: Reason,
        undo: Undo,
        silence: Option<Unreachable>,
    ) -> Result<Reserved, ChangeError<Refusal>> {
        let reservation = self
            .desk
            .step(self.origin, self.id, |reservation, at| {
                Ok(reservation
                    .state
                    .reject(reason, at, &self.origin.causation_id))
            })
            .await?;
        // A payment that was thought unknown may have arrived first: then the reservation stands.
        let is_rejected = matches!(reservation.state.stage, Stage::Rejected { .. });
        if is_rejected && self.undo(undo).await {
            self.desk.end(self.id).await;
        }
        let retry_after = silence.map(|silence| silence.retry_after.unwrap_or(RETRY_AFTER));
        Ok(Reserved {
            reservation,
            retry_after,
        })
    }

    /// Whether nothing is left to be undone. What is not done here stays noted, and the sweep does it.
    async fn undo(&self, undo: Undo) -> bool {
        let Self {
            desk, origin, id, ..
        } = *self;
        let is_paid_back = match undo {
            Undo::Nothing | Undo::Hold => true,
            Undo::All => desk.payments.cancel(origin, id).await.is_ok(),
            Undo::HoldAtFirst => false,
        };
        let is_free = match undo {
            Undo::Nothing => true,
            _ => desk.cars.release(origin, self.car, id).await == Ok(Release::Released),
        };
        is_paid_back && is_free
    }
}

/// Seconds after which another try makes sense when the silent context named none.
const RETRY_AFTER: u64 = 2;
