//! How often what happened, so that a reader sees that much did: schedules in which nothing goes
//! wrong prove nothing.

use crate::oracle::Oracle;
use payment::domain::Payment;
use reservation::domain::Stage;
use std::{cell::Cell, fmt};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Port calls.
    PortCalls,
    /// Contexts that crashed; a process that crashes takes all of them.
    Crashes,
    /// Calls, reactions and sweeps that were ended in the middle.
    Kills,
    /// Calls of ports and contexts that were not answered.
    Unanswered,
    /// Events that were appended to the log.
    Events,
    /// Deliveries of events, repeated ones included.
    Deliveries,
    /// Deliveries of what was delivered before, wholly or in part.
    Redeliveries,
    /// Sweeps.
    Sweeps,
    /// Reservations that stand in the end.
    Reserved,
    /// Reservations that were given up.
    Cancelled,
    /// Reservations that were refused.
    Rejected,
    /// Rejected reservations whose payment was closed before anything was paid.
    Closed,
    /// Rejected reservations whose payment was returned.
    Returned,
}

/// How often each happened.
#[derive(Clone, Debug, Default)]
pub struct Counters([Cell<u64>; Counter::LABELS.len()]);

// === impl Counter ===

impl Counter {
    const LABELS: [(Self, &'static str); 13] = [
        (Self::PortCalls, "port calls"),
        (Self::Crashes, "crashes of contexts"),
        (Self::Kills, "calls killed in the middle"),
        (Self::Unanswered, "calls without an answer"),
        (Self::Events, "events in the log"),
        (Self::Deliveries, "deliveries of events"),
        (Self::Redeliveries, "of them repeated"),
        (Self::Sweeps, "sweeps"),
        (Self::Reserved, "reservations that stand"),
        (Self::Cancelled, "cancelled"),
        (Self::Rejected, "rejected"),
        (Self::Closed, "of them closed to payments"),
        (Self::Returned, "of them paid and returned"),
    ];
}

// === impl Counters ===

impl Counters {
    /// Counts one.
    pub fn count(&self, what: Counter) {
        self.add(what, 1);
    }

    /// Counts how the sagas that the oracle saw ended.
    pub fn count_final_stages(&self, oracle: &Oracle) {
        for reservation in oracle.reservations.values() {
            match reservation.stage {
                Stage::Requested | Stage::CancelRequested { .. } => {}
                Stage::Reserved { .. } => self.count(Counter::Reserved),
                Stage::Cancelled { .. } => self.count(Counter::Cancelled),
                Stage::Rejected { .. } => {
                    self.count(Counter::Rejected);
                    match oracle.payments.get(&reservation.id) {
                        None => {}
                        Some(Payment::Voided(_)) => self.count(Counter::Closed),
                        Some(_) => self.count(Counter::Returned),
                    }
                }
            }
        }
    }

    /// Adds another counters.
    pub fn merge(&self, other: &Self) {
        for (what, _) in Counter::LABELS {
            self.add(what, other.0[what as usize].get());
        }
    }

    fn add(&self, what: Counter, often: u64) {
        let cell = &self.0[what as usize];
        cell.set(cell.get() + often);
    }
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, words) in Counter::LABELS {
            writeln!(f, "{:>12} {words}", self.0[what as usize].get())?;
        }
        Ok(())
    }
}
