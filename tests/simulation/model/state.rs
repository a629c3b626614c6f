//! Everything that matters at one moment, and what must be true of it.

use car::domain::{BookingState, Car, CarDetails};
use events::{CarId, Event, ReservationId};
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

/// A customer, and the one reservation that the customer makes.
pub type CustomerIndex = usize;
/// Both customers.
pub const CUSTOMERS: [CustomerIndex; 2] = [0, 1];
/// The car that both want.
pub const CAR: CarId = CarId(1);

/// How far a call or a sweep has come: what it does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Nothing was begun.
    NotStarted,
    RecordSaga,
    Store,
    RequestHold,
    AwaitHold,
    RequestPayment,
    AwaitPayment,
    Reject(Compensation),
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
    CloseSaga,
    /// It was answered, or it died.
    Finished,
}

/// What is to be undone after a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compensation {
    Nothing,
    Hold,
    All,
    /// What can be undone without the payment context; the rest is left to the sweep.
    HoldOnly,
}

/// Who reacts to events in a way that matters to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subscriber {
    Car,
    Reservation,
    Payment,
}

/// The events that somebody reacts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    Confirmed,
    Rejected,
    CancelRequested,
    Cancelled,
    Approved,
    Refunded,
}

/// One state of the platform.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelState {
    /// The car.
    pub car: Car,
    /// The reservations that were stored.
    pub reservations: [Option<Reservation>; 2],
    /// Their payments.
    pub payments: [Option<Payment>; 2],
    /// The customers' calls.
    pub calls: [Step; 2],
    /// What the sweep does about each saga.
    pub sweeps: [Step; 2],
    /// Which sagas are noted.
    pub saga_entries: [bool; 2],
    /// Holds on their way.
    pub holds: [bool; 2],
    /// Approvals on their way.
    pub approvals: [bool; 2],
    /// Events that are to be handled.
    pub events: [BTreeSet<(Subscriber, EventKind)>; 2],
    /// What each customer was told, first to last.
    pub messages: [Vec<EventKind>; 2],
    /// Whether the one crash was.
    pub has_crashed: bool,
    /// Whether the one duplicate was.
    pub has_duplicated: bool,
}

/// Two moments that differ in nothing but which customer is which count as one: whatever can happen
/// to the first can happen to the second, and no promise tells them apart. Reasons, steps, causes and
/// times decide nothing here and are left out.
impl Hash for ModelState {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut parts = CUSTOMERS.map(|customer| self.projection(customer));
        parts.sort();
        (parts, self.has_crashed, self.has_duplicated).hash(hasher);
    }
}

/// All that concerns one customer: booking, reservation, payment, what is being done, what is on its
/// way, events, messages.
type CustomerProjection<'a> = (
    (Option<bool>, bool),
    Option<&'static str>,
    Option<(&'static str, &'static str)>,
    (Step, Step, bool),
    (bool, bool),
    &'a BTreeSet<(Subscriber, EventKind)>,
    &'a [EventKind],
);

impl ModelState {
    /// One car, and nobody has asked for it.
    pub fn new() -> Self {
        Self {
            car: Car::register(CAR, CarDetails::default()).0,
            reservations: [None, None],
            payments: [None, None],
            calls: [Step::NotStarted; 2],
            sweeps: [Step::NotStarted; 2],
            saga_entries: [false; 2],
            holds: [false; 2],
            approvals: [false; 2],
            events: [BTreeSet::new(), BTreeSet::new()],
            messages: [Vec::new(), Vec::new()],
            has_crashed: false,
            has_duplicated: false,
        }
    }

    /// How far a reservation is.
    pub fn stage(&self, customer: CustomerIndex) -> Option<Stage> {
        let reservation = self.reservations[customer].as_ref();
        reservation.map(|reservation| reservation.stage)
    }

    /// Hands an event to everybody who reacts to it. Customers are told at once: a message changes
    /// nothing for anybody else, so it makes no difference when it is sent.
    pub fn announce(&mut self, event: &Event, customer: CustomerIndex) {
        let (kind, subscriber, has_message) = match event {
            Event::ReservationConfirmed(_) => (EventKind::Confirmed, Subscriber::Car, true),
            Event::ReservationRejected(_) => (EventKind::Rejected, Subscriber::Car, true),
            Event::ReservationCancelled(_) => (EventKind::Cancelled, Subscriber::Car, true),
            Event::ReservationCancelRequested(_) => {
                (EventKind::CancelRequested, Subscriber::Payment, false)
            }
            Event::PaymentApproved(_) => (EventKind::Approved, Subscriber::Reservation, false),
            Event::PaymentCancelled(_) => (EventKind::Refunded, Subscriber::Reservation, false),
            _ => return,
        };
        self.events[customer].insert((subscriber, kind));
        if has_message {
            self.messages[customer].push(kind);
        }
    }

    /// All that concerns one customer.
    fn projection(&self, customer: CustomerIndex) -> CustomerProjection<'_> {
        let bookings = self.car.bookings();
        let booking = bookings.iter().find(|one| one.reservation == id(customer));
        let is_firm = booking.map(|one| one.state == BookingState::Confirmed);
        let is_revoked = matches!(&self.car,
            Car::Active { revoked_holds, .. } if revoked_holds.contains(&id(customer)));
        (
            (is_firm, is_revoked),
            self.stage(customer).map(|stage| stage.as_str()),
            self.payments[customer].map(|payment| (payment.status(), payment.outcome())),
            (
                self.calls[customer],
                self.sweeps[customer],
                self.saga_entries[customer],
            ),
            (self.holds[customer], self.approvals[customer]),
            &self.events[customer],
            &self.messages[customer],
        )
    }

    // --- what must be true ---

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.required_actions().is_empty()
    }

    /// How many keep the car.
    pub fn holders(&self) -> usize {
        let keeps = |customer: &CustomerIndex| {
            matches!(
                self.stage(*customer),
                Some(Stage::Reserved { .. } | Stage::CancelRequested { .. })
            )
        };
        CUSTOMERS.iter().filter(|customer| keeps(customer)).count()
    }

    /// Whether everybody who has a reservation has paid for it.
    pub fn reserved_are_paid(&self) -> bool {
        CUSTOMERS.iter().all(
            |customer| match (self.stage(*customer), self.payments[*customer]) {
                (Some(Stage::Reserved { payment }), Some(Payment::Paid(receipt))) => {
                    receipt.id == payment
                }
                (Some(Stage::Reserved { .. }), _) => false,
                _ => true,
            },
        )
    }

    /// Whether nobody else has.
    pub fn only_reserved_are_paid(&self) -> bool {
        CUSTOMERS.iter().all(|customer| {
            let is_reserved = matches!(self.stage(*customer), Some(Stage::Reserved { .. }));
            is_reserved || !matches!(self.payments[*customer], Some(Payment::Paid(_)))
        })
    }

    /// Whether no reservation is still being decided.
    pub fn are_all_final(&self) -> bool {
        CUSTOMERS.iter().all(|customer| {
            !matches!(
                self.stage(*customer),
                Some(Stage::Requested | Stage::CancelRequested { .. })
            )
        })
    }

    /// Whether the car's bookings are those of the reservations that stand.
    pub fn bookings_match_reservations(&self) -> bool {
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
    pub fn messages_match_transitions(&self) -> bool {
        CUSTOMERS.iter().all(|customer| {
            let transitions: &[EventKind] = match self.stage(*customer) {
                None | Some(Stage::Requested) => &[],
                Some(Stage::Reserved { .. } | Stage::CancelRequested { .. }) => {
                    &[EventKind::Confirmed]
                }
                Some(Stage::Cancelled { .. }) => &[EventKind::Confirmed, EventKind::Cancelled],
                Some(Stage::Rejected { .. }) => &[EventKind::Rejected],
            };
            self.messages[*customer] == transitions
        })
    }

    /// Whether one reservation stands so and the other so.
    pub fn are(&self, statuses: [&str; 2]) -> bool {
        let found =
            CUSTOMERS.map(|customer| self.stage(customer).map_or("none", |stage| stage.as_str()));
        found == statuses || found == [statuses[1], statuses[0]]
    }

    /// Whether somebody paid for a reservation that was rejected, and has his money back.
    pub fn has_refunded_rejection(&self) -> bool {
        CUSTOMERS.iter().any(|customer| {
            let is_rejected = matches!(self.stage(*customer), Some(Stage::Rejected { .. }));
            is_rejected && matches!(self.payments[*customer], Some(Payment::Cancelled(_)))
        })
    }
}

/// The reservation of a customer.
pub fn id(customer: CustomerIndex) -> ReservationId {
    ReservationId(customer as u64 + 1)
}
