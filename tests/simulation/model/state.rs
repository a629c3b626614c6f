//! The state of the model and the properties that it must have.

use car::domain::{BookingState, Car, CarDetails};
use events::{CarId, Event, ReservationId};
use payment::domain::Payment;
use reservation::domain::{Reservation, Stage};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

/// A customer, and the one reservation of that customer.
pub type CustomerIndex = usize;
/// Both customers.
pub const CUSTOMERS: [CustomerIndex; 2] = [0, 1];
/// The car that both customers reserve.
pub const CAR: CarId = CarId(1);

/// The next step of a call or a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The call or sweep has not started.
    NotStarted,
    RecordSaga,
    Store,
    RequestHold,
    AwaitHold,
    RequestPayment,
    AwaitPayment,
    Reject(Compensation),
    /// Whether a payment was found.
    Decide {
        is_paid: bool,
    },
    CancelPayment,
    /// Whether this is the last compensation.
    Release {
        is_last: bool,
    },
    Refund,
    Cancel,
    CloseSaga,
    /// The call was answered, or it crashed.
    Finished,
}

/// The compensation that follows a rejection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compensation {
    Nothing,
    Hold,
    All,
    /// Only the hold; the sweep cancels the payment later.
    HoldOnly,
}

/// The contexts whose reactions affect other contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subscriber {
    Car,
    Reservation,
    Payment,
}

/// The events that a context reacts to.
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
    /// The stored reservations.
    pub reservations: [Option<Reservation>; 2],
    /// Their payments.
    pub payments: [Option<Payment>; 2],
    /// The calls of the customers.
    pub calls: [Step; 2],
    /// The sweeps, by saga.
    pub sweeps: [Step; 2],
    /// The recorded sagas.
    pub saga_entries: [bool; 2],
    /// The holds that have not arrived yet.
    pub holds: [bool; 2],
    /// The approvals that have not arrived yet.
    pub approvals: [bool; 2],
    /// The pending events.
    pub events: [BTreeSet<(Subscriber, EventKind)>; 2],
    /// The messages to each customer, oldest first.
    pub messages: [Vec<EventKind>; 2],
    /// Whether the one crash has happened.
    pub has_crashed: bool,
    /// Whether the one duplicate has happened.
    pub has_duplicated: bool,
}

/// States that differ only by an exchange of the two customers are equal: the same actions are possible in both,
/// and every property treats the customers alike. Reasons, steps, causes and times affect no decision and are left
/// out.
impl Hash for ModelState {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut parts = CUSTOMERS.map(|customer| self.projection(customer));
        parts.sort();
        (parts, self.has_crashed, self.has_duplicated).hash(hasher);
    }
}

/// Everything about one customer: booking, reservation, payment, running steps, calls that have not arrived,
/// events, messages.
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
    /// One free car and no reservation.
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

    /// The stage of a reservation.
    pub fn stage(&self, customer: CustomerIndex) -> Option<Stage> {
        let reservation = self.reservations[customer].as_ref();
        reservation.map(|reservation| reservation.stage)
    }

    /// Makes an event pending for its subscriber. The message is recorded at once: it affects no other context, so
    /// its time makes no difference.
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

    /// Everything about one customer.
    fn projection(&self, customer: CustomerIndex) -> CustomerProjection<'_> {
        let bookings = self.car.bookings();
        let booking = bookings.iter().find(|one| one.reservation == id(customer));
        let is_firm = booking.map(|one| one.state == BookingState::Confirmed);
        let is_revoked = matches!(&self.car,
            Car::Active { revoked_holds, .. } if revoked_holds.contains(&id(customer)));
        (
            (is_firm, is_revoked),
            self.stage(customer).map(|stage| stage.as_str()),
            self.payments[customer]
                .as_ref()
                .map(|payment| (payment.status(), payment.outcome())),
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

    // --- properties ---

    /// Whether no action is required any more.
    pub fn is_idle(&self) -> bool {
        self.required_actions().is_empty()
    }

    /// The number of reservations that occupy the car.
    pub fn holders(&self) -> usize {
        let keeps = |customer: &CustomerIndex| {
            matches!(
                self.stage(*customer),
                Some(Stage::Reserved { .. } | Stage::CancelRequested { .. })
            )
        };
        CUSTOMERS.iter().filter(|customer| keeps(customer)).count()
    }

    /// Whether every confirmed reservation is paid.
    pub fn reserved_are_paid(&self) -> bool {
        CUSTOMERS.iter().all(
            |customer| match (self.stage(*customer), &self.payments[*customer]) {
                (Some(Stage::Reserved { payment }), Some(Payment::Paid(receipt))) => {
                    receipt.id == payment
                }
                (Some(Stage::Reserved { .. }), _) => false,
                _ => true,
            },
        )
    }

    /// Whether no other reservation is paid.
    pub fn only_reserved_are_paid(&self) -> bool {
        CUSTOMERS.iter().all(|customer| {
            let is_reserved = matches!(self.stage(*customer), Some(Stage::Reserved { .. }));
            is_reserved || !matches!(self.payments[*customer], Some(Payment::Paid(_)))
        })
    }

    /// Whether every reservation has reached a final stage.
    pub fn are_all_final(&self) -> bool {
        CUSTOMERS.iter().all(|customer| {
            !matches!(
                self.stage(*customer),
                Some(Stage::Requested | Stage::CancelRequested { .. })
            )
        })
    }

    /// Whether the bookings of the car are exactly the confirmed reservations.
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

    /// Whether each transition has exactly one message.
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

    /// Whether the two reservations have these statuses, in either order.
    pub fn are(&self, statuses: [&str; 2]) -> bool {
        let found =
            CUSTOMERS.map(|customer| self.stage(customer).map_or("none", |stage| stage.as_str()));
        found == statuses || found == [statuses[1], statuses[0]]
    }

    /// Whether a rejected reservation was paid and refunded.
    pub fn has_refunded_rejection(&self) -> bool {
        CUSTOMERS.iter().any(|customer| {
            let is_rejected = matches!(self.stage(*customer), Some(Stage::Rejected { .. }));
            is_rejected && matches!(self.payments[*customer], Some(Payment::Cancelled(_)))
        })
    }
}

/// The reservation id of a customer.
pub fn id(customer: CustomerIndex) -> ReservationId {
    ReservationId(customer as u64 + 1)
}
