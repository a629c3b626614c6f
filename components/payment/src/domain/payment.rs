//! A payment and the rules of taking and returning the money of one reservation.
//!
//! There is one payment per reservation, and it can be cancelled before it exists: a cancel that arrives first stores
//! [`Payment::Voided`], which refuses the approval that arrives later.

use super::{
    gateway_id::GatewayId,
    order::{Order, Receipt},
    refusal::Refusal,
};
use events::{Event, PaymentId, PaymentState, ReservationId};

/// The state of the payment of one reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// The money is taken.
    Paid(Receipt),
    /// The refund is decided and cannot be reversed; the gateway has not confirmed it yet.
    Refunding(Receipt),
    /// The money is returned.
    Cancelled(Receipt),
    /// Cancelled before anything was paid. A later approval is refused.
    Voided(ReservationId),
}

impl Payment {
    /// A payment whose money `gateway` took, and its announcement.
    #[must_use]
    pub fn pay(id: PaymentId, order: Order, gateway: Option<GatewayId>) -> (Self, Event) {
        let receipt = Receipt { id, order, gateway };
        let event = Event::PaymentApproved(payment_state(&receipt, "paid"));
        (Self::Paid(receipt), event)
    }

    /// Checks that the payment is paid and not cancelled.
    ///
    /// # Errors
    ///
    /// [`Refusal::Cancelled`] in every other state: an approval must not succeed after a cancel.
    pub fn ensure_paid(&self) -> Result<(), Refusal> {
        match self {
            Self::Paid(_) => Ok(()),
            _ => Err(Refusal::Cancelled(self.reservation())),
        }
    }

    /// The payment after the decision to cancel it, also when it does not exist yet; `None` when it is cancelled
    /// already. If it is unknown who took the money, `configured` is asked to return it, and remains the one.
    #[must_use]
    pub fn cancel(
        before: Option<&Self>,
        reservation: ReservationId,
        configured: Option<&GatewayId>,
    ) -> Option<Self> {
        match before {
            None => Some(Self::Voided(reservation)),
            Some(Self::Paid(receipt)) => {
                let gateway = receipt.gateway.as_ref().or(configured).cloned();
                let receipt = receipt.clone();
                Some(Self::Refunding(Receipt { gateway, ..receipt }))
            }
            Some(_) => None,
        }
    }

    /// Whether the payment is paid, and the money is not known to be at another gateway than `gateway`.
    #[must_use]
    pub fn is_paid_at(&self, gateway: Option<&GatewayId>) -> bool {
        let Self::Paid(receipt) = self else {
            return false;
        };
        match (&receipt.gateway, gateway) {
            (Some(paid_at), Some(gateway)) => paid_at == gateway,
            _ => true,
        }
    }

    /// The payment after the refund, and its announcement; `None` when no refund is pending.
    #[must_use]
    pub fn complete_refund(&self) -> Option<(Self, Event)> {
        let Self::Refunding(receipt) = self else {
            return None;
        };
        let event = Event::PaymentCancelled(payment_state(receipt, "cancelled"));
        Some((Self::Cancelled(receipt.clone()), event))
    }

    /// The reservation of the payment.
    #[must_use]
    pub fn reservation(&self) -> ReservationId {
        match self {
            Self::Paid(receipt) | Self::Refunding(receipt) | Self::Cancelled(receipt) => {
                receipt.order.reservation
            }
            Self::Voided(reservation) => *reservation,
        }
    }

    /// What was paid; `None` when nothing ever was.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Paid(receipt) | Self::Refunding(receipt) | Self::Cancelled(receipt) => {
                Some(receipt)
            }
            Self::Voided(_) => None,
        }
    }

    /// The status shown to clients: `paid` until the gateway has confirmed the refund.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Paid(_) | Self::Refunding(_) => "paid",
            Self::Cancelled(_) => "cancelled",
            Self::Voided(_) => "none",
        }
    }

    /// The status reported to the reservation context: a decided refund counts as `cancelled`.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Refunding(_) => "cancelled",
            other => other.status(),
        }
    }
}

fn payment_state(receipt: &Receipt, status: &str) -> PaymentState {
    PaymentState {
        pay_id: receipt.id,
        rsv_id: receipt.order.reservation,
        car_id: receipt.order.car,
        amount: receipt.order.amount,
        status: status.into(),
        customer_id: receipt.order.customer.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::CarId;

    const RESERVATION: ReservationId = ReservationId(7);

    fn paid() -> Payment {
        let order = Order {
            reservation: RESERVATION,
            car: CarId(1),
            amount: 100,
            customer: None,
        };
        Payment::pay(PaymentId(3), order, None).0
    }

    fn refunding() -> Payment {
        Payment::cancel(Some(&paid()), RESERVATION, None).unwrap()
    }

    #[test]
    fn a_paid_payment_is_refunded_once() {
        let (cancelled, event) = refunding().complete_refund().unwrap();
        assert!(
            matches!(event, Event::PaymentCancelled(state) if state.status == "cancelled" && state.pay_id == PaymentId(3))
        );
        assert_eq!(cancelled.status(), "cancelled");
        assert_eq!(Payment::cancel(Some(&cancelled), RESERVATION, None), None);
        assert_eq!(cancelled.complete_refund(), None);
    }

    #[test]
    fn a_payment_that_was_not_cancelled_is_not_refunded() {
        assert_eq!(paid().complete_refund(), None);
    }

    #[test]
    fn an_approval_is_refused_after_a_cancel() {
        let voided = Payment::cancel(None, RESERVATION, None).unwrap();
        let cancelled = refunding().complete_refund().unwrap().0;
        assert_eq!(paid().ensure_paid(), Ok(()));
        for payment in [voided, refunding(), cancelled] {
            assert_eq!(payment.ensure_paid(), Err(Refusal::Cancelled(RESERVATION)));
            assert_eq!(Payment::cancel(Some(&payment), RESERVATION, None), None);
        }
    }

    #[test]
    fn a_cancel_before_the_approval_leaves_a_voided_payment_without_a_receipt() {
        let voided = Payment::cancel(None, RESERVATION, None).unwrap();
        assert_eq!(voided.receipt(), None);
        assert_eq!(voided.complete_refund(), None);
        assert_eq!(voided.outcome(), "none");
    }

    #[test]
    fn a_pending_refund_is_shown_as_paid_and_reported_as_cancelled() {
        assert_eq!(refunding().status(), "paid");
        assert_eq!(refunding().outcome(), "cancelled");
    }
}
