//! The actions that are possible in a state of the model.

use super::state::{CUSTOMERS, CustomerIndex, EventKind, ModelState, Step, Subscriber};
use reservation::domain::Stage;

/// One step of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A customer requests a reservation.
    Reserve(CustomerIndex),
    /// A customer requests a cancellation.
    Cancel(CustomerIndex),
    /// A customer's call continues.
    Continue(CustomerIndex),
    /// A customer's call times out while it waits for another context.
    TimeOut(CustomerIndex),
    /// The sweep takes over a saga, or continues it.
    Sweep(CustomerIndex),
    /// A hold arrives at the car context.
    Hold(CustomerIndex),
    /// An approval arrives at the payment context.
    Approve(CustomerIndex),
    /// An event is handled.
    Deliver(Subscriber, EventKind, CustomerIndex),
    /// An event is handled and stays pending, so it is handled again.
    DeliverTwice(Subscriber, EventKind, CustomerIndex),
    /// A context crashes with every call in it and every call to it.
    Crash(Subscriber),
}

impl ModelState {
    /// The actions that happen sooner or later, without any choice of a customer and without any fault.
    pub fn required_actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for customer in CUSTOMERS {
            match self.calls[customer] {
                Step::NotStarted | Step::Finished => {
                    if self.saga_entries[customer] || self.sweeps[customer] != Step::NotStarted {
                        actions.push(Action::Sweep(customer));
                    }
                }
                Step::AwaitHold | Step::AwaitPayment => actions.push(Action::TimeOut(customer)),
                _ => actions.push(Action::Continue(customer)),
            }
            if self.holds[customer] {
                actions.push(Action::Hold(customer));
            }
            if self.approvals[customer] {
                actions.push(Action::Approve(customer));
            }
        }
        actions.extend(self.deliveries(Action::Deliver));
        actions
    }

    /// The actions that may never happen.
    pub fn optional_actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for customer in CUSTOMERS {
            if self.calls[customer] == Step::NotStarted {
                actions.push(Action::Reserve(customer));
            }
            if matches!(self.stage(customer), Some(Stage::Reserved { .. })) {
                actions.push(Action::Cancel(customer));
            }
        }
        if !self.has_crashed {
            actions.extend(
                [
                    Subscriber::Car,
                    Subscriber::Reservation,
                    Subscriber::Payment,
                ]
                .map(Action::Crash),
            );
        }
        if !self.has_duplicated {
            actions.extend(self.deliveries(Action::DeliverTwice));
        }
        actions
    }

    fn deliveries(
        &self,
        action: fn(Subscriber, EventKind, CustomerIndex) -> Action,
    ) -> impl Iterator<Item = Action> {
        CUSTOMERS.into_iter().flat_map(move |customer| {
            let events = self.events[customer].iter();
            events.map(move |&(subscriber, kind)| action(subscriber, kind, customer))
        })
    }
}
