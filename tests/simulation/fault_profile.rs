//! The faults of one schedule and their probabilities. Each schedule has a profile of its own, because a schedule
//! with every fault at once would rarely complete a reservation.

use crate::{context::ContextId, random::SeededRandom};
use std::cell::Cell;

/// The outcome of a call that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// The effect happens, and the caller gets the response.
    Applied,
    /// The effect does not happen, and the caller gets no response.
    Dropped,
    /// The effect happens, and the caller gets no response.
    ReplyLost,
    /// The caller gets no response, and the effect happens later.
    Delayed,
}

/// Probabilities of one schedule. A value of n means "one in n"; zero means never.
#[derive(Debug, Default)]
pub struct FaultProfile {
    /// Crashes, per step.
    pub crashes: usize,
    /// Calls that time out at their caller, per step.
    pub timeouts: usize,
    /// Calls of a store or of the log that get no response.
    store_errors: usize,
    /// Outages that begin or end, per step.
    pub outages: usize,
    /// Calls between contexts that are lost.
    lost_calls: usize,
    /// Long jumps of time, per step.
    pub clock_jumps: usize,
    /// Settings of a host's clock, per step.
    pub clock_settings: usize,
    /// Failed deliveries that are parked, per failure.
    pub parked_events: usize,
    /// Losses of the last second, per step. Every store and the log lose it together, as they do on one server.
    pub lost_seconds: usize,
    /// Lost batches of writes, per batch.
    pub lost_batches: usize,
    /// Rebuilds of the read model, per step.
    pub rebuilds: usize,
    /// The longest delay of a request to the gateway, in milliseconds.
    pub gateway_delay_ms: usize,
    /// Tasks that are slow.
    pub slow_tasks: usize,
    /// Sweeps, per step.
    pub sweeps: usize,
    /// Redeliveries of handled events, per delivery.
    pub redeliveries: usize,
    /// Whether the stores report every swap as failed, as Spin's Redis provider does.
    pub misreports_swaps: bool,
    /// Whether payments go to a remote gateway.
    pub has_gateway: bool,
    /// Whether reservations call other contexts through breakers of their own, as on a host without link breakers,
    /// and whether a breaker guards the gateway.
    pub has_breakers: bool,
    /// Whether the lists are compared with the state, which takes time.
    pub checks_lists: bool,
    /// Whether the read model is kept and compared, which takes more time.
    pub checks_view: bool,
    /// False before and after the faulty part of the schedule.
    enabled: Cell<bool>,
    /// The stores with an outage, by context; the last element is the event log.
    outage: [Cell<bool>; ContextId::ALL.len() + 1],
}

/// The index of the event log among the outages.
const LOG: usize = ContextId::ALL.len();

impl FaultProfile {
    /// A random profile.
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
            clock_settings: random.choose(&[0, 0, 20]),
            parked_events: random.choose(&[0, 3, 12]),
            gateway_delay_ms: random.choose(&[1_500, 1_500, 180_000, 72_000_000]),
            enabled: Cell::new(false),
            ..Self::default()
        }
        .with_history_faults(random)
    }

    /// Adds the faults that concern the history: money at a gateway and answers to customers do not belong to what a
    /// server can lose together.
    fn with_history_faults(mut self, random: &SeededRandom) -> Self {
        if !self.has_gateway {
            self.lost_seconds = random.choose(&[0, 0, 0, 8]);
            self.lost_batches = match self.lost_seconds {
                0 => random.choose(&[0, 0, 4]),
                _ => 0,
            };
        }
        // A host notices the rows of a view that are ahead of its log; here, nothing does.
        self.checks_view &= self.lost_batches == 0;
        if self.lost_seconds > 0 {
            self.checks_view = random.one_in(2);
        }
        if self.checks_view {
            self.rebuilds = random.choose(&[0, 10]);
        }
        self
    }

    /// Begins the faulty part.
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

    /// Whether faults are injected.
    pub fn are_enabled(&self) -> bool {
        self.enabled.get()
    }

    /// Begins or ends the outage of one store or of the log, and describes the change.
    pub fn toggle_outage(&self, random: &SeededRandom) -> String {
        let index = random.below(self.outage.len());
        let outage = &self.outage[index];
        outage.set(!outage.get());
        let name = match ContextId::ALL.get(index) {
            Some(context) => format!("the stores of {context:?}"),
            None => "the log".into(),
        };
        match outage.get() {
            true => format!("{name} fail"),
            false => format!("{name} recover"),
        }
    }

    /// The outcome of a call of a context's store.
    pub fn store_outcome(&self, context: ContextId, random: &SeededRandom) -> CallOutcome {
        self.outcome(context as usize, random)
    }

    /// The outcome of a call of the event log.
    pub fn log_outcome(&self, random: &SeededRandom) -> CallOutcome {
        self.outcome(LOG, random)
    }

    /// The outcome of a call of the gateway.
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

    /// Whether a breaker rejects a call of the gateway.
    pub fn breaker_rejects(&self, random: &SeededRandom) -> bool {
        self.has_breakers && self.are_enabled() && random.one_in(self.lost_calls)
    }

    /// The outcome of a call to another context, before it arrives there.
    pub fn call_outcome(&self, random: &SeededRandom) -> CallOutcome {
        match self.are_enabled() && random.one_in(self.lost_calls) {
            true => random.choose(&[CallOutcome::Dropped, CallOutcome::Delayed]),
            false => CallOutcome::Applied,
        }
    }

    fn outcome(&self, index: usize, random: &SeededRandom) -> CallOutcome {
        match self.are_enabled() && (self.outage[index].get() || random.one_in(self.store_errors)) {
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
