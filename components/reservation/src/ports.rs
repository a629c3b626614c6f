//! What this context needs from others: the car held, the payment approved. Every call may fail in
//! a way that leaves its effect unknown; what undoes it is therefore idempotent and may come first.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use events::{CarId, PaymentId, ReservationId};
use kit::{BreakerOpen, Origin};

/// The other context did not answer in time, or not in a way that makes sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unreachable {
    /// What happened, for people.
    pub what: String,
    /// After how many seconds another try makes sense, if the other side said so.
    pub retry_after: Option<u64>,
    /// What it may have done all the same.
    pub aftermath: Aftermath,
}

/// What a call may have done that brought no useful answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// Nothing: it was never made, or the other side says that it did nothing.
    Nothing,
    /// What it should, perhaps; the other side answers, and can be asked to undo it.
    Unknown,
    /// What it should, perhaps; the other side was waited for in vain.
    Silence,
}

impl From<BreakerOpen> for Unreachable {
    fn from(open: BreakerOpen) -> Self {
        Self {
            what: open.to_string(),
            retry_after: Some(open.retry_after),
            aftermath: Aftermath::Nothing,
        }
    }
}

/// What the car context says to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is held; this is its price in won.
    Held {
        /// Price of one reservation, in won.
        amount: u64,
    },
    /// Another reservation has it.
    NotAvailable,
    /// There is no such car.
    UnknownCar,
}

/// What the car context says to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The hold is given up, also one that is still on its way.
    Released,
    /// There is no such car yet. A hold that is still on its way may find one.
    UnknownCar,
}

/// The car context.
pub trait Cars {
    /// Holds a car. Holding twice is holding once.
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Hold, Unreachable>;
    /// Gives the hold up, also one that is still on its way.
    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Release, Unreachable>;
}

/// What the payment context says to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It is paid.
    Paid(PaymentId),
    /// It is declined; nothing was charged.
    Declined,
}

/// The payment context.
pub trait Payments {
    /// Has the customer pay. Approving twice is approving once; after a cancel it fails.
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<Approval, Unreachable>;
    /// Returns what was paid, and sees to it that nothing will be.
    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unreachable>;
    /// The payment of a reservation, if it is paid now.
    async fn outcome(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unreachable>;
}
