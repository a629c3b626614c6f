//! Reserving and cancelling, as the commands, reactions and sweeps do it, with one change of one aggregate in each
//! step. The domain types decide every change of a car, a reservation or a payment.

use super::actions::Action;
use super::state::{CAR, Compensation, CustomerIndex, EventKind, ModelState, Step, Subscriber, id};
use car::domain::Period;
use events::{PaymentId, Timestamp};
use payment::domain::{Order, Payment};
use reservation::domain::{RejectionReason, Reservation, SagaToken, Stage};

/// The protocol.
pub struct Protocol {
    /// The defect of the protocol.
    pub mutation: ProtocolMutation,
}

/// A defect of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolMutation {
    /// No defect.
    None,
    /// The saga is recorded after the reservation is stored.
    RecordsSagaLate,
    /// A release before the hold leaves no tombstone.
    ReleaseLeavesNoTombstone,
    /// A cancellation before the payment leaves no tombstone, and a payment after the rejection is not compensated.
    CancelLeavesNoTombstone,
    /// The compensation runs before the rejection is stored.
    CompensatesBeforeRejecting,
}

impl ModelState {
    /// Applies an action.
    pub fn apply(&mut self, action: Action, mutation: ProtocolMutation) {
        match action {
            Action::Reserve(customer) => {
                self.calls[customer] = match mutation {
                    ProtocolMutation::RecordsSagaLate => Step::Store,
                    _ => Step::RecordSaga,
                }
            }
            Action::Cancel(customer) => {
                self.saga_entries[customer] = true;
                self.transition(customer, |reservation| {
                    reservation
                        .request_cancellation(&SagaToken::default(), at(), "")
                        .ok()
                        .flatten()
                });
            }
            Action::Continue(customer) => {
                self.calls[customer] = self.next_step(customer, self.calls[customer], mutation)
            }
            Action::TimeOut(customer) => {
                let compensation = match self.calls[customer] {
                    Step::AwaitPayment => Compensation::HoldOnly,
                    _ => Compensation::Hold,
                };
                self.calls[customer] = match (mutation, compensation) {
                    (ProtocolMutation::CompensatesBeforeRejecting, Compensation::HoldOnly) => {
                        Step::CancelPayment
                    }
                    _ => Step::Reject(compensation),
                };
            }
            Action::Sweep(customer) => {
                self.sweeps[customer] = match self.sweeps[customer] {
                    Step::NotStarted => self.take_over(customer),
                    step => self.next_step(customer, step, mutation),
                };
            }
            Action::Hold(customer) => self.hold(customer),
            Action::Approve(customer) => self.approve(customer),
            Action::Deliver(subscriber, kind, customer) => {
                self.events[customer].remove(&(subscriber, kind));
                self.react(subscriber, kind, customer, mutation);
            }
            Action::DeliverTwice(subscriber, kind, customer) => {
                self.has_duplicated = true;
                self.react(subscriber, kind, customer, mutation);
            }
            Action::Crash(context) => self.crash(context),
        }
    }

    /// Executes one step of a call or a sweep, and returns the next step.
    fn next_step(
        &mut self,
        customer: CustomerIndex,
        step: Step,
        mutation: ProtocolMutation,
    ) -> Step {
        match step {
            Step::RecordSaga => {
                self.saga_entries[customer] = true;
                match mutation {
                    ProtocolMutation::RecordsSagaLate => Step::RequestHold,
                    _ => Step::Store,
                }
            }
            Step::Store => {
                self.reservations[customer] = Some(
                    Reservation::request(id(customer), CAR, None, &SagaToken::default(), at(), "")
                        .0,
                );
                match mutation {
                    ProtocolMutation::RecordsSagaLate => Step::RecordSaga,
                    _ => Step::RequestHold,
                }
            }
            Step::RequestHold => {
                self.holds[customer] = true;
                Step::AwaitHold
            }
            Step::RequestPayment => {
                self.approvals[customer] = true;
                Step::AwaitPayment
            }
            Step::Reject(compensation) => {
                let reason = RejectionReason::PaymentUnreachable;
                self.transition(customer, |reservation| reservation.reject(reason, at(), ""));
                match (self.stage(customer), compensation) {
                    (Some(Stage::Rejected { .. }), Compensation::Nothing) => Step::CloseSaga,
                    (Some(Stage::Rejected { .. }), Compensation::Hold) => {
                        Step::Release { is_last: true }
                    }
                    (Some(Stage::Rejected { .. }), Compensation::All) => Step::CancelPayment,
                    (Some(Stage::Rejected { .. }), Compensation::HoldOnly) => {
                        Step::Release { is_last: false }
                    }
                    // The payment arrived before the rejection.
                    _ => Step::Finished,
                }
            }
            Step::Decide { is_paid: false } => {
                let reason = RejectionReason::Interrupted;
                self.transition(customer, |reservation| reservation.reject(reason, at(), ""));
                self.take_over(customer)
            }
            Step::Decide { is_paid: true } => {
                self.confirm(customer);
                self.take_over(customer)
            }
            Step::CancelPayment => {
                self.cancel_payment(customer, mutation);
                Step::Release { is_last: true }
            }
            Step::Release { is_last } => {
                let released = match mutation {
                    ProtocolMutation::ReleaseLeavesNoTombstone => {
                        self.car.remove_booking(id(customer))
                    }
                    _ => self.car.release(id(customer)),
                };
                if let Some((car, _)) = released {
                    self.car = car;
                }
                match self.stage(customer) {
                    Some(Stage::Requested) => Step::Reject(Compensation::Nothing),
                    _ if is_last => Step::CloseSaga,
                    _ => Step::Finished,
                }
            }
            Step::Refund => {
                self.cancel_payment(customer, mutation);
                Step::Cancel
            }
            Step::Cancel => {
                self.transition(customer, |reservation| reservation.cancel(at(), ""));
                Step::CloseSaga
            }
            Step::CloseSaga => {
                self.saga_entries[customer] = false;
                match self.calls[customer] {
                    Step::CloseSaga => Step::Finished,
                    _ => Step::NotStarted,
                }
            }
            Step::NotStarted | Step::AwaitHold | Step::AwaitPayment | Step::Finished => step,
        }
    }

    /// The first step of a sweep that takes over a saga.
    fn take_over(&mut self, customer: CustomerIndex) -> Step {
        let is_paid = matches!(self.payments[customer], Some(Payment::Paid(_)));
        match self.stage(customer) {
            Some(Stage::Requested) => Step::Decide { is_paid },
            Some(Stage::CancelRequested { .. }) => Step::Refund,
            Some(Stage::Rejected { .. }) => Step::CancelPayment,
            Some(Stage::Reserved { .. } | Stage::Cancelled { .. }) => Step::CloseSaga,
            None => Step::CloseSaga,
        }
    }

    fn hold(&mut self, customer: CustomerIndex) {
        self.holds[customer] = false;
        let held = self.car.hold(id(customer), Period::OPEN);
        let is_held = held.is_ok();
        if let Ok(Some(car)) = held {
            self.car = car;
        }
        if self.calls[customer] == Step::AwaitHold {
            self.calls[customer] = match is_held {
                true => Step::RequestPayment,
                false => Step::Reject(Compensation::Nothing),
            };
        }
    }

    fn approve(&mut self, customer: CustomerIndex) {
        self.approvals[customer] = false;
        if self.payments[customer].is_none() {
            let order = Order {
                reservation: id(customer),
                car: CAR,
                amount: 1,
                customer: None,
            };
            let (payment, event) = Payment::pay(payment(customer), order, None);
            self.payments[customer] = Some(payment);
            self.announce(&event, customer);
        }
        if self.calls[customer] == Step::AwaitPayment {
            let payment = self.payments[customer].as_ref();
            let stands = payment.is_some_and(|payment| payment.ensure_paid().is_ok());
            self.calls[customer] = match stands {
                true => Step::Finished,
                false => Step::Reject(Compensation::All),
            };
        }
    }

    /// Cancels and refunds in one change, as the built-in ledger does.
    fn cancel_payment(&mut self, customer: CustomerIndex, mutation: ProtocolMutation) {
        let before = self.payments[customer].clone();
        if before.is_none() && mutation == ProtocolMutation::CancelLeavesNoTombstone {
            return;
        }
        let given_up = Payment::cancel(before.as_ref(), id(customer), None).or(before);
        match given_up.as_ref().and_then(Payment::complete_refund) {
            Some((payment, event)) => {
                self.payments[customer] = Some(payment);
                self.announce(&event, customer);
            }
            None => self.payments[customer] = given_up,
        }
    }

    fn react(
        &mut self,
        subscriber: Subscriber,
        kind: EventKind,
        customer: CustomerIndex,
        mutation: ProtocolMutation,
    ) {
        match (subscriber, kind) {
            (Subscriber::Car, EventKind::Confirmed) => {
                if let Some((car, _)) = self.car.confirm(id(customer)) {
                    self.car = car;
                }
            }
            (Subscriber::Car, _) => {
                if let Some((car, _)) = self.car.remove_booking(id(customer)) {
                    self.car = car;
                }
            }
            (Subscriber::Payment, _) => self.cancel_payment(customer, mutation),
            (Subscriber::Reservation, EventKind::Approved) => {
                self.confirm(customer);
                match self.stage(customer) {
                    Some(Stage::Reserved { .. }) => self.saga_entries[customer] = false,
                    Some(Stage::Rejected { .. })
                        if mutation != ProtocolMutation::CancelLeavesNoTombstone =>
                    {
                        self.saga_entries[customer] = true;
                    }
                    _ => {}
                }
            }
            (Subscriber::Reservation, _) => {
                self.transition(customer, |reservation| reservation.cancel(at(), ""));
                if matches!(self.stage(customer), Some(Stage::Cancelled { .. })) {
                    self.saga_entries[customer] = false;
                }
            }
        }
    }

    fn crash(&mut self, context: Subscriber) {
        self.has_crashed = true;
        match context {
            Subscriber::Car => self.holds = [false; 2],
            Subscriber::Payment => self.approvals = [false; 2],
            Subscriber::Reservation => {
                self.sweeps = [Step::NotStarted; 2];
                for call in &mut self.calls {
                    if *call != Step::NotStarted {
                        *call = Step::Finished;
                    }
                }
            }
        }
    }

    fn confirm(&mut self, customer: CustomerIndex) {
        self.transition(customer, |reservation| {
            reservation.confirm(payment(customer), at(), "")
        });
    }

    fn transition(
        &mut self,
        customer: CustomerIndex,
        transition: impl Fn(&Reservation) -> Option<(Reservation, events::Event)>,
    ) {
        if let Some((reservation, event)) =
            self.reservations[customer].as_ref().and_then(transition)
        {
            self.reservations[customer] = Some(reservation);
            self.announce(&event, customer);
        }
    }
}

/// The payment id of a customer.
fn payment(customer: CustomerIndex) -> PaymentId {
    PaymentId(id(customer).0)
}

fn at() -> Timestamp {
    Timestamp::from_millis(0)
}
