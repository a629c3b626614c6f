//! Reserving and cancelling as the commands, reactions and sweeps do it, one change of one aggregate
//! at a time. What is decided about a car, a reservation or a payment, their own rules decide.

use super::state::{CAR, State, To, Undo, WHO, What, Who, Work, id};
use car::domain::Period;
use events::{PaymentId, Timestamp};
use payment::domain::{Order, Payment};
use reservation::domain::{Reason, Reservation, Stage};

/// The protocol.
pub struct Protocol {
    /// What is wrong with it.
    pub twist: Twist,
}

/// What is wrong with the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// The saga is noted after the reservation is stored.
    NotesTheSagaLate,
    /// A release of what is not held yet leaves nothing behind.
    ReleaseLeavesNoTrace,
    /// A cancel of what is not paid yet leaves nothing behind, and nobody minds a payment that comes
    /// after the rejection.
    CancelLeavesNoTrace,
    /// What was done is undone before the rejection is stored.
    UndoesBeforeItRejects,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A customer asks for the car.
    Reserve(Who),
    /// A customer gives the car up.
    GiveUp(Who),
    /// A customer's call goes on.
    GoOn(Who),
    /// It waits no longer for the context that it asked.
    TimeOut(Who),
    /// The sweep takes a saga over, or goes on with it.
    Sweep(Who),
    /// A hold arrives at the car context.
    Hold(Who),
    /// An approval arrives at the payment context.
    Approve(Who),
    /// An event is handled.
    Deliver(To, What, Who),
    /// An event is handled, and will be once more.
    DeliverTwice(To, What, Who),
    /// A context dies, and with it every call in it and to it.
    Crash(To),
}

impl State {
    /// What happens sooner or later, whatever people do and however lucky they are.
    pub fn must_happen(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for who in WHO {
            match self.calls[who] {
                Work::None | Work::Over => {
                    if self.notes[who] || self.sweeps[who] != Work::None {
                        actions.push(Action::Sweep(who));
                    }
                }
                Work::AwaitCar | Work::AwaitPayment => actions.push(Action::TimeOut(who)),
                _ => actions.push(Action::GoOn(who)),
            }
            if self.holds[who] {
                actions.push(Action::Hold(who));
            }
            if self.approvals[who] {
                actions.push(Action::Approve(who));
            }
        }
        actions.extend(self.deliveries(Action::Deliver));
        actions
    }

    /// What may happen or not.
    pub fn may_happen(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for who in WHO {
            if self.calls[who] == Work::None {
                actions.push(Action::Reserve(who));
            }
            if matches!(self.stage(who), Some(Stage::Reserved { .. })) {
                actions.push(Action::GiveUp(who));
            }
        }
        if !self.has_crashed {
            actions.extend([To::Car, To::Reservation, To::Payment].map(Action::Crash));
        }
        if !self.has_repeated {
            actions.extend(self.deliveries(Action::DeliverTwice));
        }
        actions
    }

    fn deliveries(&self, action: fn(To, What, Who) -> Action) -> impl Iterator<Item = Action> {
        WHO.into_iter().flat_map(move |who| {
            let events = self.events[who].iter();
            events.map(move |&(to, what)| action(to, what, who))
        })
    }

    /// Lets something happen.
    pub fn act(&mut self, action: Action, twist: Twist) {
        match action {
            Action::Reserve(who) => {
                self.calls[who] = match twist {
                    Twist::NotesTheSagaLate => Work::Store,
                    _ => Work::Note,
                }
            }
            Action::GiveUp(who) => {
                self.notes[who] = true;
                self.step(who, |reservation| {
                    reservation.request_cancellation(at(), "").ok().flatten()
                });
            }
            Action::GoOn(who) => self.calls[who] = self.work(who, self.calls[who], twist),
            Action::TimeOut(who) => {
                let undo = match self.calls[who] {
                    Work::AwaitPayment => Undo::HoldAtFirst,
                    _ => Undo::Hold,
                };
                self.calls[who] = match (twist, undo) {
                    (Twist::UndoesBeforeItRejects, Undo::HoldAtFirst) => Work::CancelPayment,
                    _ => Work::Reject(undo),
                };
            }
            Action::Sweep(who) => {
                self.sweeps[who] = match self.sweeps[who] {
                    Work::None => self.take_over(who),
                    work => self.work(who, work, twist),
                };
            }
            Action::Hold(who) => self.hold(who),
            Action::Approve(who) => self.approve(who),
            Action::Deliver(to, what, who) => {
                self.events[who].remove(&(to, what));
                self.react(to, what, who, twist);
            }
            Action::DeliverTwice(to, what, who) => {
                self.has_repeated = true;
                self.react(to, what, who, twist);
            }
            Action::Crash(context) => self.crash(context),
        }
    }

    /// One step of a call or a sweep; what comes after it.
    fn work(&mut self, who: Who, work: Work, twist: Twist) -> Work {
        match work {
            Work::Note => {
                self.notes[who] = true;
                match twist {
                    Twist::NotesTheSagaLate => Work::AskCar,
                    _ => Work::Store,
                }
            }
            Work::Store => {
                self.reservations[who] = Some(Reservation::request(id(who), CAR, at(), "").0);
                match twist {
                    Twist::NotesTheSagaLate => Work::Note,
                    _ => Work::AskCar,
                }
            }
            Work::AskCar => {
                self.holds[who] = true;
                Work::AwaitCar
            }
            Work::AskPayment => {
                self.approvals[who] = true;
                Work::AwaitPayment
            }
            Work::Reject(undo) => {
                let reason = Reason::PaymentUnreachable;
                self.step(who, |reservation| reservation.reject(reason, at(), ""));
                match (self.stage(who), undo) {
                    (Some(Stage::Rejected { .. }), Undo::Nothing) => Work::End,
                    (Some(Stage::Rejected { .. }), Undo::Hold) => Work::Release { is_last: true },
                    (Some(Stage::Rejected { .. }), Undo::All) => Work::CancelPayment,
                    (Some(Stage::Rejected { .. }), Undo::HoldAtFirst) => {
                        Work::Release { is_last: false }
                    }
                    // A payment that was thought lost came first.
                    _ => Work::Over,
                }
            }
            Work::Decide { is_paid: false } => {
                let reason = Reason::Interrupted;
                self.step(who, |reservation| reservation.reject(reason, at(), ""));
                self.take_over(who)
            }
            Work::Decide { is_paid: true } => {
                self.confirm(who);
                self.take_over(who)
            }
            Work::CancelPayment => {
                self.cancel_payment(who, twist);
                Work::Release { is_last: true }
            }
            Work::Release { is_last } => {
                let released = match twist {
                    Twist::ReleaseLeavesNoTrace => self.car.free(id(who)),
                    _ => self.car.give_up(id(who)),
                };
                if let Some((car, _)) = released {
                    self.car = car;
                }
                match self.stage(who) {
                    Some(Stage::Requested) => Work::Reject(Undo::Nothing),
                    _ if is_last => Work::End,
                    _ => Work::Over,
                }
            }
            Work::Refund => {
                self.cancel_payment(who, twist);
                Work::Cancel
            }
            Work::Cancel => {
                self.step(who, |reservation| reservation.cancel(at(), ""));
                Work::End
            }
            Work::End => {
                self.notes[who] = false;
                match self.calls[who] {
                    Work::End => Work::Over,
                    _ => Work::None,
                }
            }
            Work::None | Work::AwaitCar | Work::AwaitPayment | Work::Over => work,
        }
    }

    /// What the sweep does next about a saga.
    fn take_over(&mut self, who: Who) -> Work {
        let is_paid = matches!(self.payments[who], Some(Payment::Paid(_)));
        match self.stage(who) {
            Some(Stage::Requested) => Work::Decide { is_paid },
            Some(Stage::CancelRequested { .. }) => Work::Refund,
            Some(Stage::Rejected { .. }) => Work::CancelPayment,
            Some(Stage::Reserved { .. } | Stage::Cancelled { .. }) => Work::End,
            None => Work::End,
        }
    }

    fn hold(&mut self, who: Who) {
        self.holds[who] = false;
        let held = self.car.hold(id(who), Period::OPEN);
        let is_held = held.is_ok();
        if let Ok(Some(car)) = held {
            self.car = car;
        }
        if self.calls[who] == Work::AwaitCar {
            self.calls[who] = match is_held {
                true => Work::AskPayment,
                false => Work::Reject(Undo::Nothing),
            };
        }
    }

    fn approve(&mut self, who: Who) {
        self.approvals[who] = false;
        if self.payments[who].is_none() {
            let order = Order {
                reservation: id(who),
                car: CAR,
                amount: 1,
            };
            let (payment, event) = Payment::pay(payment(who), order);
            self.payments[who] = Some(payment);
            self.announce(&event, who);
        }
        if self.calls[who] == Work::AwaitPayment {
            let stands = self.payments[who].is_some_and(|payment| payment.stands().is_ok());
            self.calls[who] = match stands {
                true => Work::Over,
                false => Work::Reject(Undo::All),
            };
        }
    }

    /// As the built-in ledger does it: given up and refunded in one change.
    fn cancel_payment(&mut self, who: Who, twist: Twist) {
        let before = self.payments[who];
        if before.is_none() && twist == Twist::CancelLeavesNoTrace {
            return;
        }
        let given_up = Payment::give_up(before.as_ref(), id(who)).or(before);
        match given_up.as_ref().and_then(Payment::refund) {
            Some((payment, event)) => {
                self.payments[who] = Some(payment);
                self.announce(&event, who);
            }
            None => self.payments[who] = given_up,
        }
    }

    fn react(&mut self, to: To, what: What, who: Who, twist: Twist) {
        match (to, what) {
            (To::Car, What::Confirmed) => {
                if let Some((car, _)) = self.car.confirm(id(who)) {
                    self.car = car;
                }
            }
            (To::Car, _) => {
                if let Some((car, _)) = self.car.free(id(who)) {
                    self.car = car;
                }
            }
            (To::Payment, _) => self.cancel_payment(who, twist),
            (To::Reservation, What::Approved) => {
                self.confirm(who);
                match self.stage(who) {
                    Some(Stage::Reserved { .. }) => self.notes[who] = false,
                    Some(Stage::Rejected { .. }) if twist != Twist::CancelLeavesNoTrace => {
                        self.notes[who] = true;
                    }
                    _ => {}
                }
            }
            (To::Reservation, _) => {
                self.step(who, |reservation| reservation.cancel(at(), ""));
                if matches!(self.stage(who), Some(Stage::Cancelled { .. })) {
                    self.notes[who] = false;
                }
            }
        }
    }

    fn crash(&mut self, context: To) {
        self.has_crashed = true;
        match context {
            To::Car => self.holds = [false; 2],
            To::Payment => self.approvals = [false; 2],
            To::Reservation => {
                self.sweeps = [Work::None; 2];
                for call in &mut self.calls {
                    if *call != Work::None {
                        *call = Work::Over;
                    }
                }
            }
        }
    }

    fn confirm(&mut self, who: Who) {
        self.step(who, |reservation| {
            reservation.confirm(payment(who), at(), "")
        });
    }

    fn step(
        &mut self,
        who: Who,
        step: impl Fn(&Reservation) -> Option<(Reservation, events::Event)>,
    ) {
        if let Some((reservation, event)) = self.reservations[who].as_ref().and_then(step) {
            self.reservations[who] = Some(reservation);
            self.announce(&event, who);
        }
    }
}

/// The payment of a customer.
fn payment(who: Who) -> PaymentId {
    PaymentId(id(who).0)
}

fn at() -> Timestamp {
    Timestamp::from_millis(0)
}
