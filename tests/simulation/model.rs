//! An exhaustive check of a small scenario: two customers, one car, one crash, one duplicate, every interleaving.
//!
//! The simulation runs the real code along some schedules. The model runs the real *rules*, which are the domain
//! types of three contexts, along all of them: stateright visits every state that [`protocol`] allows. An aggregate
//! changes in one step, and its events are announced in the same step.
//!
//! The check is exhaustive in this sense. Each customer reserves at any moment or never, and cancels at any moment
//! or never. A call, a sweep, a hold, an approval and an event make progress at any moment, in any order. A caller
//! times out at any moment. At most one context crashes, at any moment, and loses its calls and the calls to it. At
//! most one event is handled twice, with any steps in between.
//!
//! Two reductions keep the number of states small and hide none of them: messages are recorded at once
//! ([`ModelState::announce`]), and states that differ only by an exchange of the two customers count as one (the
//! hash of [`ModelState`]). Failing stores, several crashes and duplicate messages are left to the simulation.

mod actions;
mod protocol;
mod state;

use actions::Action;
use protocol::{Protocol, ProtocolMutation};
use state::ModelState;
use stateright::{Checker, HasDiscoveries, Model, Property};

impl Model for Protocol {
    type State = ModelState;
    type Action = Action;

    fn init_states(&self) -> Vec<ModelState> {
        vec![ModelState::new()]
    }

    fn actions(&self, state: &ModelState, actions: &mut Vec<Action>) {
        actions.extend(state.required_actions());
        actions.extend(state.optional_actions());
    }

    fn next_state(&self, state: &ModelState, action: Action) -> Option<ModelState> {
        let mut next = state.clone();
        next.apply(action, self.mutation);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(
                "a car has one live booking at a time",
                |_, state: &ModelState| state.car.bookings().len() <= 1 && state.holders() <= 1,
            ),
            Property::always("nothing unpaid is reserved", |_, state: &ModelState| {
                state.reserved_are_paid()
            }),
            Property::always("what comes to rest has ended", |_, state: &ModelState| {
                !state.is_idle() || state.are_all_final()
            }),
            Property::always("nothing else stays paid", |_, state: &ModelState| {
                !state.is_idle() || state.only_reserved_are_paid()
            }),
            Property::always(
                "the car is booked by whoever reserved it",
                |_, state: &ModelState| !state.is_idle() || state.bookings_match_reservations(),
            ),
            Property::always(
                "each transition has one message",
                |_, state: &ModelState| !state.is_idle() || state.messages_match_transitions(),
            ),
            Property::sometimes("both customers had the car", |_, state: &ModelState| {
                state.is_idle() && state.are(["cancelled", "reserved"])
            }),
            Property::sometimes("one was first", |_, state: &ModelState| {
                state.is_idle() && state.are(["reserved", "rejected"])
            }),
            Property::sometimes("money was taken and returned", |_, state: &ModelState| {
                state.is_idle() && state.has_refunded_rejection()
            }),
        ]
    }
}

#[test]
fn every_interleaving_of_two_customers_one_crash_and_one_duplicate_keeps_the_invariants() {
    let checker = Protocol {
        mutation: ProtocolMutation::None,
    }
    .checker()
    .spawn_bfs()
    .join();
    println!(
        "{} states, {} of them different, at most {} steps deep",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    checker.assert_properties();
}

/// Checks that the mutated protocol violates a property, and prints the shortest way to the violation.
fn assert_detected(mutation: ProtocolMutation, promise: &'static str) {
    let checker = Protocol { mutation }
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let path = checker.discovery(promise);
    let path = path.unwrap_or_else(|| panic!("{mutation:?} was not caught"));
    println!("{mutation:?}: {:?}", path.into_actions());
}

#[test]
fn a_saga_that_is_recorded_too_late_is_detected() {
    assert_detected(
        ProtocolMutation::RecordsSagaLate,
        "what comes to rest has ended",
    );
}

#[test]
fn a_release_that_leaves_no_tombstone_is_detected() {
    assert_detected(
        ProtocolMutation::ReleaseLeavesNoTombstone,
        "the car is booked by whoever reserved it",
    );
}

#[test]
fn a_cancellation_that_leaves_no_tombstone_is_detected() {
    assert_detected(
        ProtocolMutation::CancelLeavesNoTombstone,
        "nothing else stays paid",
    );
}

#[test]
fn a_compensation_before_the_rejection_is_detected() {
    assert_detected(
        ProtocolMutation::CompensatesBeforeRejecting,
        "nothing unpaid is reserved",
    );
}
