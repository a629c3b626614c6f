//! What the payment context needs from outside: the platform, and a gateway that takes and returns the money.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::{
    domain::{GatewayError, GatewayId, Order},
    repository::PaymentRepository,
};
use events::ReservationId;
use kit::Platform;

/// The ports of this context; every use case takes them as its first argument.
///
/// `P` is the [`Platform`], `G` the [`Gateway`].
pub struct PaymentPorts<P, G> {
    /// Stores, event log and clock.
    pub platform: P,
    /// The gateway that takes and returns the money.
    pub gateway: G,
}

impl<P: Platform, G> PaymentPorts<P, G> {
    /// The stored payments.
    pub fn payments(&self) -> PaymentRepository<'_, P> {
        PaymentRepository::new(&self.platform)
    }
}

/// The gateway's response to an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApprovalOutcome {
    /// The money is taken.
    Approved,
    /// The money is not taken, and a later attempt of the gateway's own will not take it.
    Declined,
    /// The request was not sent to the gateway: there is nothing to refund.
    NotRequested(GatewayError),
    /// The money may have been taken, or may be taken later by a delayed request.
    Unknown(GatewayError),
}

/// The gateway did not confirm a refund; the text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RefundError(pub String);

/// The gateway that takes and returns the money.
///
/// It identifies a payment by its reservation. An implementation returns within a bounded time.
pub trait Gateway {
    /// Its identity, which is stored with what it takes; `None` while its configuration cannot be read, and then it takes
    /// and returns no money.
    fn id(&self) -> Option<GatewayId>;

    /// Whether a call can be cut off with its outcome unknown. Calls of a remote gateway are recorded as
    /// intents before they are sent ([`crate::gateway_intents`]); a local gateway must never fail.
    fn is_remote(&self) -> bool;

    /// Takes `order.amount` won for `order.reservation`.
    ///
    /// Idempotent: of several approvals of one reservation, at most one takes money. An implementation
    /// returns [`ApprovalOutcome::Declined`] or [`ApprovalOutcome::NotRequested`] only if it is certain that
    /// no money was taken and that no delayed request will take any.
    async fn approve(&self, order: &Order) -> ApprovalOutcome;

    /// Returns the money that was taken for `reservation`.
    ///
    /// Idempotent, and successful when no money was taken. It does not prevent a later approval from taking
    /// money: the caller refunds again once no approval can still be on its way.
    ///
    /// # Errors
    ///
    /// [`RefundError`] when the gateway did not confirm that it holds no money of the reservation.
    async fn refund(&self, reservation: ReservationId) -> Result<(), RefundError>;
}
