//! What the reservation context needs from outside: the platform, the car context and the payment context.
//!
//! Every call to another context can fail in a way that leaves its effect unknown. The compensating calls
//! (`release`, `cancel`) are therefore idempotent, and they may arrive before the call that they compensate.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::{
    live_reservations::LiveReservations, repository::ReservationRepository, saga_log::SagaLog,
};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::{Origin, Platform, Unavailable};

/// The ports of this context; every use case takes them as its first argument.
///
/// `P` is the [`Platform`], `C` the car context ([`Cars`]) and `Y` the payment context ([`Payments`]).
pub struct ReservationPorts<P, C, Y> {
    /// Stores, event log and clock.
    pub platform: P,
    /// The car context.
    pub cars: C,
    /// The payment context.
    pub payments: Y,
}

impl<P: Platform, C, Y> ReservationPorts<P, C, Y> {
    /// The stored reservations.
    pub fn reservations(&self) -> ReservationRepository<'_, P> {
        ReservationRepository::new(&self.platform)
    }

    /// The live reservations of a customer.
    pub fn live_reservations(&self, customer: &CustomerId) -> LiveReservations<'_, P> {
        LiveReservations::new(&self.platform, customer)
    }

    /// The list of open sagas.
    pub fn sagas(&self) -> SagaLog<'_, P> {
        SagaLog::new(&self.platform)
    }
}

/// The car context's response to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldOutcome {
    /// The car is held for the reservation.
    Held {
        /// Price of one reservation, in won.
        amount: u64,
    },
    /// Another reservation has the car.
    NotAvailable,
    /// No such car exists.
    UnknownCar,
}

/// The car context's response to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseOutcome {
    /// The hold is released. A hold of the same reservation that arrives later is refused.
    Released,
    /// No such car exists, so nothing could be recorded: if the car is registered before a delayed hold
    /// arrives, that hold succeeds.
    UnknownCar,
}

/// The payment context's response to an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// The reservation is paid.
    Paid(PaymentId),
    /// The payment is declined. No money was taken.
    Declined,
}

/// The car context.
///
/// An implementation returns within a bounded time, and reports an effect other than
/// [`kit::Effect::None`] whenever the request may have reached the car context.
pub trait Cars {
    /// Holds `car` for the reservation `id`, for an open-ended period.
    ///
    /// Idempotent: a second hold of the same reservation returns [`HoldOutcome::Held`] again. Of several
    /// reservations that hold one car at the same time, exactly one succeeds.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the response is missing, late or not recognisable as the car context's.
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, Unavailable>;

    /// Releases what the reservation `id` holds of `car`, and refuses a hold of `id` that arrives later.
    ///
    /// Idempotent, and successful when the reservation holds nothing.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the response is missing, late or not recognisable as the car context's.
    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable>;
}

/// The payment context.
///
/// It identifies a payment by its reservation. An implementation returns within a bounded time, and reports
/// an effect other than [`kit::Effect::None`] whenever the request may have reached the payment context.
pub trait Payments {
    /// Charges `amount` won for the reservation `id` of `car`. The payment belongs to `customer`, or to the company.
    ///
    /// Idempotent: a second approval returns the first payment and takes no more money. After
    /// [`Self::cancel`] it fails and takes no money.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the response is missing, late or not recognisable as the payment context's,
    /// and when the payment was cancelled before.
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
        customer: Option<&CustomerId>,
    ) -> Result<ApprovalOutcome, Unavailable>;

    /// Refunds the payment of the reservation `id`, and refuses an approval that arrives later.
    ///
    /// Idempotent, and successful when nothing was paid. `Ok` means that the refund is decided and cannot be
    /// reversed; the money may still be on its way back.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the response is missing, late or not recognisable as the payment context's.
    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable>;

    /// Returns the payment of the reservation `id` if it is paid at this moment. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the response is missing, late or not recognisable as the payment context's.
    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable>;
}
