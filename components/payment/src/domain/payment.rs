//! A payment and the rules of taking and returning the money of one reservation.
//!
//! There is one truth per reservation, also before anything was paid: a cancel that comes first
//! leaves a refusal behind, so that an approval on its way finds a closed door.

use events::{CarId, Event, PaymentId, PaymentState, ReservationId};

/// What is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// For which reservation.
    pub reservation: ReservationId,
    /// For which car.
    pub car: CarId,
    /// How much, in won.
    pub amount: u64,
}

/// What was paid, and under which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which payment.
    pub id: PaymentId,
    /// What it was for.
    pub order: Order,
}

/// How it stands with the money of one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payment {
    /// The money is ours.
    Paid(Receipt),
    /// It is to be returned, and nothing turns that back; the gateway has not confirmed it yet.
    Refunding(Receipt),
    /// It was returned.
    Cancelled(Receipt),
    /// It was given up before anything was paid, and nothing will be.
    Refused(ReservationId),
}

/// Why whoever takes the money has given no useful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// What happened, for people.
    pub why: String,
    /// After how many seconds another try makes sense, if anybody has said so.
    pub retry_after: Option<u64>,
}

/// Why there is no payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such payment.
    Unknown(PaymentId),
    /// The reservation was given up, before or after it was paid.
    Cancelled(ReservationId),
    /// Whoever takes the money says no. Nothing was taken.
    Declined(Order),
    /// Whoever takes the money was not asked for it. Nothing was taken.
    NotAsked(Silence),
    /// Whoever takes the money did not say whether he did.
    Unresolved(Silence),
}

impl Silence {
    /// One of which nobody knows how long it will last.
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            retry_after: None,
        }
    }
}

impl Payment {
    /// The money was taken.
    #[must_use]
    pub fn pay(id: PaymentId, order: Order) -> (Self, Event) {
        let payment = Self::Paid(Receipt { id, order });
        let event = Event::PaymentApproved(announced(Receipt { id, order }, "paid"));
        (payment, event)
    }

    /// That the money is ours and remains so.
    ///
    /// # Errors
    ///
    /// [`Refusal::Cancelled`] in every other state: an approval must not succeed after a cancel.
    pub fn stands(&self) -> Result<(), Refusal> {
        match self {
            Self::Paid(_) => Ok(()),
            _ => Err(Refusal::Cancelled(self.reservation())),
        }
    }

    /// The decision to give the payment up, also one that was not made yet; `None` when that is
    /// decided already.
    #[must_use]
    pub fn give_up(before: Option<&Self>, reservation: ReservationId) -> Option<Self> {
        match before {
            None => Some(Self::Refused(reservation)),
            Some(Self::Paid(receipt)) => Some(Self::Refunding(*receipt)),
            Some(_) => None,
        }
    }

    /// The money has been returned; `None` when none was to be.
    #[must_use]
    pub fn refund(&self) -> Option<(Self, Event)> {
        let Self::Refunding(receipt) = *self else {
            return None;
        };
        let event = Event::PaymentCancelled(announced(receipt, "cancelled"));
        Some((Self::Cancelled(receipt), event))
    }

    /// Whose payment it is.
    #[must_use]
    pub fn reservation(&self) -> ReservationId {
        match self {
            Self::Paid(receipt) | Self::Refunding(receipt) | Self::Cancelled(receipt) => {
                receipt.order.reservation
            }
            Self::Refused(reservation) => *reservation,
        }
    }

    /// What was paid, if anything ever was.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Paid(receipt) | Self::Refunding(receipt) | Self::Cancelled(receipt) => {
                Some(receipt)
            }
            Self::Refused(_) => None,
        }
    }

    /// Where the money is, as people see it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Paid(_) | Self::Refunding(_) => "paid",
            Self::Cancelled(_) => "cancelled",
            Self::Refused(_) => "none",
        }
    }

    /// What will come of it, for the reservation: what is to be returned counts as returned.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Refunding(_) => "cancelled",
            other => other.status(),
        }
    }
}

fn announced(receipt: Receipt, status: &str) -> PaymentState {
    PaymentState {
        pay_id: receipt.id,
        rsv_id: receipt.order.reservation,
        car_id: receipt.order.car,
        amount: receipt.order.amount,
        status: status.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVATION: ReservationId = ReservationId(7);

    fn paid() -> Payment {
        let order = Order {
            reservation: RESERVATION,
            car: CarId(1),
            amount: 100,
        };
        Payment::pay(PaymentId(3), order).0
    }

    fn given_up() -> Payment {
        Payment::give_up(Some(&paid()), RESERVATION).unwrap()
    }

    #[test]
    fn a_paid_payment_is_returned_once() {
        let (cancelled, event) = given_up().refund().unwrap();
        assert!(
            matches!(event, Event::PaymentCancelled(state) if state.status == "cancelled" && state.pay_id == PaymentId(3))
        );
        assert_eq!(cancelled.status(), "cancelled");
        assert_eq!(Payment::give_up(Some(&cancelled), RESERVATION), None);
        assert_eq!(cancelled.refund(), None);
    }

    #[test]
    fn money_that_nobody_gave_up_is_not_returned() {
        assert_eq!(paid().refund(), None);
    }

    #[test]
    fn nothing_stands_once_it_is_given_up() {
        let refused = Payment::give_up(None, RESERVATION).unwrap();
        let cancelled = given_up().refund().unwrap().0;
        assert_eq!(paid().stands(), Ok(()));
        for payment in [refused, given_up(), cancelled] {
            assert_eq!(payment.stands(), Err(Refusal::Cancelled(RESERVATION)));
            assert_eq!(Payment::give_up(Some(&payment), RESERVATION), None);
        }
    }

    #[test]
    fn a_cancel_that_comes_first_leaves_a_refusal_without_a_receipt() {
        let refused = Payment::give_up(None, RESERVATION).unwrap();
        assert_eq!(refused.receipt(), None);
        assert_eq!(refused.refund(), None);
        assert_eq!(refused.outcome(), "none");
    }

    #[test]
    fn what_is_to_be_returned_is_still_held_but_no_outcome_to_count_on() {
        assert_eq!(given_up().status(), "paid");
        assert_eq!(given_up().outcome(), "cancelled");
    }
}
