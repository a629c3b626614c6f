//! What may go wrong in one schedule, and how likely. Every schedule has a faults of its own: one
//! that has everything at once would rarely get anywhere.

use crate::{context::ContextId, random::SeededRandom};
use std::cell::Cell;

/// What becomes of a call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It takes effect, and the caller hears of it.
    Applied,
    /// It has no effect, and nobody answers.
    Dropped,
    /// It takes effect, and nobody answers.
    ReplyLost,
    /// Nobody answers, and it takes effect afterwards.
    Delayed,
}

/// The chances of one schedule; each counts as "one in", and zero is never.
#[derive(Debug, Default)]
pub struct FaultProfile {
    /// Crashes per step.
    pub crashes: usize,
    /// Callers that give up, per step.
    pub timeouts: usize,
    /// Calls of a store or the log that are not answered.
    store_errors: usize,
    /// Silences that begin or end, per step.
    pub outages: usize,
    /// Calls between contexts that are lost.
    lost_calls: usize,
    /// Long clock_jumps of the clock, per step.
    pub clock_jumps: usize,
    /// Tasks that are slow.
    pub slow_tasks: usize,
    /// Sweeps, per step.
    pub sweeps: usize,
    /// Deliveries of what was delivered, per delivery.
    pub redeliveries: usize,
    /// Whether the stores report every swap as refused, as Spin's Redis provider does.
    pub misreports_swaps: bool,
    /// Whether the money is taken by somebody elsewhere.
    pub has_gateway: bool,
    /// Whether reservations cut off contexts that are sick, as they do where no host does it, and
    /// somebody the gateway.
    pub has_breakers: bool,
    /// Whether the lists are compared with what there is, which costs time.
    pub checks_lists: bool,
    /// Whether the rows of the view are kept, which costs more.
    pub checks_view: bool,
    /// Set while there are no faults, before and after.
    enabled: Cell<bool>,
    /// Whose stores are outage now; the last is the log.
    outage: [Cell<bool>; ContextId::ALL.len() + 1],
}

/// The place of the log among the outages.
const LOG: usize = ContextId::ALL.len();

impl FaultProfile {
    /// The faults that the random say.
    pub fn new(random: &SeededRandom) -> Self {
        let chance = |often: usize| random.choose(&[0, often, often * 4]);
        Self {
            crashes: chance(16),
            timeouts: chance(8),
            store_errors: chance(40),
            outages: chance(40),
            slow_tasks: chance(4),
            lost_calls: chance(12),
            clock_jumps: random.choose(&[5, 20, 80]),
            sweeps: random.choose(&[4, 12, 40]),
            redeliveries: random.choose(&[0, 4, 16]),
            misreports_swaps: random.one_in(8),
            has_gateway: random.one_in(2),
            has_breakers: random.one_in(3),
            checks_lists: random.one_in(4),
            checks_view: random.one_in(10),
            enabled: Cell::new(false),
            ..Self::default()
        }
    }

    /// Begins the faults.
    pub fn enable(&self) {
        self.enabled.set(true);
    }

    /// Ends all faults.
    pub fn disable(&self) {
        self.enabled.set(false);
        for outage in &self.outage {
            outage.set(false);
        }
    }

    /// Whether the faults are over.
    pub fn are_enabled(&self) -> bool {
        self.enabled.get()
    }

    /// Begins or ends a silence; says whose.
    pub fn toggle_outage(&self, random: &SeededRandom) -> String {
        let place = random.below(self.outage.len());
        let outage = &self.outage[place];
        outage.set(!outage.get());
        let who = match ContextId::ALL.get(place) {
            Some(context) => format!("the stores of {context:?}"),
            None => "the log".into(),
        };
        match outage.get() {
            true => format!("{who} fall outage"),
            false => format!("{who} answer again"),
        }
    }

    /// What becomes of a call of a context's stores.
    pub fn store_outcome(&self, context: ContextId, random: &SeededRandom) -> CallOutcome {
        self.outcome(context as usize, random)
    }

    /// What becomes of a call of the log.
    pub fn log_outcome(&self, random: &SeededRandom) -> CallOutcome {
        self.outcome(LOG, random)
    }

    /// What becomes of a call of the gateway.
    pub fn gateway_outcome(&self, random: &SeededRandom) -> CallOutcome {
        match self.are_enabled() && random.one_in(self.lost_calls) {
            true => random.choose(&[
                CallOutcome::Dropped,
                CallOutcome::ReplyLost,
                CallOutcome::Delayed,
            ]),
            false => CallOutcome::Applied,
        }
    }

    /// Whether the gateway is not even asked.
    pub fn breaker_rejects(&self, random: &SeededRandom) -> bool {
        self.has_breakers && self.are_enabled() && random.one_in(self.lost_calls)
    }

    /// What becomes of a call to a context before it arrives.
    pub fn call_outcome(&self, random: &SeededRandom) -> CallOutcome {
        match self.are_enabled() && random.one_in(self.lost_calls) {
            true => random.choose(&[CallOutcome::Dropped, CallOutcome::Delayed]),
            false => CallOutcome::Applied,
        }
    }

    fn outcome(&self, place: usize, random: &SeededRandom) -> CallOutcome {
        match self.are_enabled() && (self.outage[place].get() || random.one_in(self.store_errors)) {
            true => random.choose(&[
                CallOutcome::Dropped,
                CallOutcome::Dropped,
                CallOutcome::ReplyLost,
                CallOutcome::Delayed,
            ]),
            false => CallOutcome::Applied,
        }
    }
}
