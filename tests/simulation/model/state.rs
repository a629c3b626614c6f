//! Everything that matters at one moment, and what must be true of it.

use car::domain::{BookingState, Car, Details};
use events::{CarId, Event, PaymentId};
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

/// A customer, and the one reservation that the customer makes.
pub type Who = usize;
/// Both customers.
pub const WHO: [Who; 2] = [0, 1];
/// The car that both want.
pub const CAR: CarId = CarId(1);

/// How far a call or a sweep has come: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing was begun.
    None,
    Note,
    Store,
    AskCar,
    AwaitCar,
    AskPayment,
    AwaitPayment,
    Reject(Undo),
    /// With the payment that was seen.
    Decide(Option<PaymentId>),
    CancelPayment,
    Release,
    Refund,
    Cancel,
    End,
    /// It was answered, or it died.
    Over,
}

/// What is to be undone after a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    Nothing,
    Hold,
    All,
}

/// Who reacts to events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum To {
    Car,
    Reservation,
    Payment,
    Message,
}

/// The events that somebody reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Confirmed,
    Rejected,
    CancelRequested,
    Cancelled,
    Approved,
    Refunded,
}

/// One state of the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The car.
    pub car: Car,
    /// The reservations that were stored.
    pub reservations: [Option<Reservation>; 2],
    /// Their payments.
    pub payments: [Option<Payment>; 2],
    /// The customers' calls.
    pub calls: [Work; 2],
    /// What the sweep does about each saga.
    pub sweeps: [Work; 2],
    /// Which sagas are noted.
    pub notes: [bool; 2],
    /// Holds on their way.
    pub holds: [bool; 2],
    /// Approvals on their way.
    pub approvals: [bool; 2],
    /// Events that are to be handled.
    pub events: BTreeSet<(To, What, Who)>,
    /// Messages that were sent.
    pub messages: BTreeSet<(What, Who)>,
    /// Whether the one crash was.
    pub has_crashed: bool,
    /// Whether the one duplicate was.
    pub has_repeated: bool,
}

/// The domain types are not made to be hashed; their text says all that there is.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        format!("{self:?}").hash(hasher);
    }
}

impl State {
    /// One car, and nobody has asked for it.
    pub fn new() -> Self {
        Self {
            car: Car::register(CAR, Details::default()).0,
            reservations: [None, None],
            payments: [None, None],
            calls: [Work::None; 2],
            sweeps: [Work::None; 2],
            notes: [false; 2],
            holds: [false; 2],
            approvals: [false; 2],
            events: BTreeSet::new(),
            messages: BTreeSet::new(),
            has_crashed: false,
            has_repeated: false,
        }
    }

    /// How far a reservation is.
    pub fn stage(&self, who: Who) -> Option<Stage> {
        let reservation = self.reservations[who].as_ref();
        reservation.map(|reservation| reservation.stage)
    }

    /// Hands an event to everybody who reacts to it.
    pub fn announce(&mut self, event: &Event, who: Who) {
        let (what, readers): (What, &[To]) = match event {
            Event::ReservationConfirmed(_) => (What::Confirmed, &[To::Car, To::Message]),
            Event::ReservationRejected(_) => (What::Rejected, &[To::Car, To::Message]),
            Event::ReservationCancelled(_) => (What::Cancelled, &[To::Car, To::Message]),
            Event::ReservationCancelRequested(_) => (What::CancelRequested, &[To::Payment]),
            Event::PaymentApproved(_) => (What::Approved, &[To::Reservation]),
            Event::PaymentCancelled(_) => (What::Refunded, &[To::Reservation]),
            _ => return,
        };
        self.events
            .extend(readers.iter().map(|to| (*to, what, who)));
    }

    // --- what must be true ---

    /// Whether nothing is under way.
    pub fn is_at_rest(&self) -> bool {
        self.must_happen().is_empty()
    }

    /// How many keep the car.
    pub fn keepers(&self) -> usize {
        let keeps = |who: &Who| {
            matches!(
                self.stage(*who),
                Some(Stage::Reserved { .. } | Stage::CancelRequested { .. })
            )
        };
        WHO.iter().filter(|who| keeps(who)).count()
    }

    /// Whether everybody who has a reservation has paid for it.
    pub fn reserved_are_paid(&self) -> bool {
        WHO.iter()
            .all(|who| match (self.stage(*who), self.payments[*who]) {
                (Some(Stage::Reserved { payment }), Some(Payment::Paid(receipt))) => {
                    receipt.id == payment
                }
                (Some(Stage::Reserved { .. }), _) => false,
                _ => true,
            })
    }

    /// Whether nobody else has.
    pub fn only_reserved_are_paid(&self) -> bool {
        WHO.iter().all(|who| {
            let is_reserved = matches!(self.stage(*who), Some(Stage::Reserved { .. }));
            is_reserved || !matches!(self.payments[*who], Some(Payment::Paid(_)))
        })
    }

    /// Whether no reservation is still being decided.
    pub fn have_all_ended(&self) -> bool {
        WHO.iter().all(|who| {
            !matches!(
                self.stage(*who),
                Some(Stage::Requested | Stage::CancelRequested { .. })
            )
        })
    }

    /// Whether the car's bookings are those of the reservations that stand.
    pub fn is_booked_by_who_reserved(&self) -> bool {
        let stands =
            |reservation: &&Reservation| matches!(reservation.stage, Stage::Reserved { .. });
        let reserved = self.reservations.iter().flatten().filter(stands);
        let reserved = reserved.map(|one| (one.id, BookingState::Confirmed));
        let bookings = self.car.bookings().iter();
        bookings
            .map(|one| (one.reservation, one.state))
            .eq(reserved)
    }

    /// Whether each transition has its message.
    pub fn is_each_transition_told(&self) -> bool {
        let told = WHO.iter().flat_map(|who| {
            let steps = self.reservations[*who].iter().flat_map(|one| &one.steps);
            steps.filter_map(move |step| match step.status.as_str() {
                "reserved" => Some((What::Confirmed, *who)),
                "cancelled" => Some((What::Cancelled, *who)),
                "rejected" => Some((What::Rejected, *who)),
                _ => None,
            })
        });
        told.collect::<BTreeSet<_>>() == self.messages
    }

    /// How the reservations stand.
    pub fn statuses(&self) -> [&'static str; 2] {
        WHO.map(|who| self.stage(who).map_or("none", |stage| stage.as_str()))
    }

    /// Whether somebody paid for a reservation that was rejected, and has his money back.
    pub fn was_compensated(&self) -> bool {
        WHO.iter().any(|who| {
            let is_rejected = matches!(self.stage(*who), Some(Stage::Rejected { .. }));
            is_rejected && matches!(self.payments[*who], Some(Payment::Cancelled(_)))
        })
    }
}
