//! Everything that matters at one moment, and what must be true of it.

use car::domain::{BookingState, Car, Details};
use events::{CarId, Event, ReservationId};
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Whether it has seen a payment.
    Decide {
        is_paid: bool,
    },
    CancelPayment,
    /// Whether all is undone then.
    Release {
        is_last: bool,
    },
    Refund,
    Cancel,
    End,
    /// It was answered, or it died.
    Over,
}

/// What is to be undone after a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Undo {
    Nothing,
    Hold,
    All,
    /// What can be undone without the payment context; the rest is left to the sweep.
    HoldAtFirst,
}

/// Who reacts to events in a way that matters to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum To {
    Car,
    Reservation,
    Payment,
}

/// The events that somebody reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    pub events: [BTreeSet<(To, What)>; 2],
    /// What each customer was told, first to last.
    pub messages: [Vec<What>; 2],
    /// Whether the one crash was.
    pub has_crashed: bool,
    /// Whether the one duplicate was.
    pub has_repeated: bool,
}

/// Two moments that differ in nothing but which customer is which count as one: whatever can happen
/// to the first can happen to the second, and no promise tells them apart. Reasons, steps, causes and
/// times decide nothing here and are left out.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut parts = WHO.map(|who| self.part(who));
        parts.sort();
        (parts, self.has_crashed, self.has_repeated).hash(hasher);
    }
}

/// All that concerns one customer: booking, reservation, payment, what is being done, what is on its
/// way, events, messages.
type Part<'a> = (
    (Option<bool>, bool),
    Option<&'static str>,
    Option<(&'static str, &'static str)>,
    (Work, Work, bool),
    (bool, bool),
    &'a BTreeSet<(To, What)>,
    &'a [What],
);

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
            events: [BTreeSet::new(), BTreeSet::new()],
            messages: [Vec::new(), Vec::new()],
            has_crashed: false,
            has_repeated: false,
        }
    }

    /// How far a reservation is.
    pub fn stage(&self, who: Who) -> Option<Stage> {
        let reservation = self.reservations[who].as_ref();
        reservation.map(|reservation| reservation.stage)
    }

    /// Hands an event to everybody who reacts to it. Customers are told at once: a message changes
    /// nothing for anybody else, so it makes no difference when it is sent.
    pub fn announce(&mut self, event: &Event, who: Who) {
        let (what, to, is_told) = match event {
            Event::ReservationConfirmed(_) => (What::Confirmed, To::Car, true),
            Event::ReservationRejected(_) => (What::Rejected, To::Car, true),
            Event::ReservationCancelled(_) => (What::Cancelled, To::Car, true),
            Event::ReservationCancelRequested(_) => (What::CancelRequested, To::Payment, false),
            Event::PaymentApproved(_) => (What::Approved, To::Reservation, false),
            Event::PaymentCancelled(_) => (What::Refunded, To::Reservation, false),
            _ => return,
        };
        self.events[who].insert((to, what));
        if is_told {
            self.messages[who].push(what);
        }
    }

    /// All that concerns one customer.
    fn part(&self, who: Who) -> Part<'_> {
        let bookings = self.car.bookings();
        let booking = bookings.iter().find(|one| one.reservation == id(who));
        let is_firm = booking.map(|one| one.state == BookingState::Confirmed);
        let is_given_up = matches!(&self.car,
            Car::InFleet { given_up, .. } if given_up.contains(&id(who)));
        (
            (is_firm, is_given_up),
            self.stage(who).map(|stage| stage.as_str()),
            self.payments[who].map(|payment| (payment.status(), payment.outcome())),
            (self.calls[who], self.sweeps[who], self.notes[who]),
            (self.holds[who], self.approvals[who]),
            &self.events[who],
            &self.messages[who],
        )
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

    /// Whether each transition has its one message.
    pub fn is_each_transition_told(&self) -> bool {
        WHO.iter().all(|who| {
            let transitions: &[What] = match self.stage(*who) {
                None | Some(Stage::Requested) => &[],
                Some(Stage::Reserved { .. } | Stage::CancelRequested { .. }) => &[What::Confirmed],
                Some(Stage::Cancelled { .. }) => &[What::Confirmed, What::Cancelled],
                Some(Stage::Rejected { .. }) => &[What::Rejected],
            };
            self.messages[*who] == transitions
        })
    }

    /// Whether one reservation stands so and the other so.
    pub fn are(&self, statuses: [&str; 2]) -> bool {
        let found = WHO.map(|who| self.stage(who).map_or("none", |stage| stage.as_str()));
        found == statuses || found == [statuses[1], statuses[0]]
    }

    /// Whether somebody paid for a reservation that was rejected, and has his money back.
    pub fn was_compensated(&self) -> bool {
        WHO.iter().any(|who| {
            let is_rejected = matches!(self.stage(*who), Some(Stage::Rejected { .. }));
            is_rejected && matches!(self.payments[*who], Some(Payment::Cancelled(_)))
        })
    }
}

/// The reservation of a customer.
pub fn id(who: Who) -> ReservationId {
    ReservationId(who as u64 + 1)
}
