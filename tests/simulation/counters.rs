//! Counters of what happened in the schedules. They show that the faults occurred: schedules without faults would
//! prove nothing.

use crate::oracle::Oracle;
use payment::domain::Payment;
use reservation::domain::Stage;
use std::{cell::Cell, fmt};

/// One counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Port calls.
    PortCalls,
    /// Crashed contexts; a crash of the process counts once for each context.
    Crashes,
    /// Calls, reactions and sweeps that were killed before their end.
    Kills,
    /// Calls of ports and contexts without a response.
    Unanswered,
    /// Events that were appended to the log.
    Events,
    /// Deliveries of events, redeliveries included.
    Deliveries,
    /// Deliveries of events that were delivered before, completely or in part.
    Redeliveries,
    /// Sweeps.
    Sweeps,
    /// Events that were parked.
    Parked,
    /// Rebuilds of the read model.
    Rebuilds,
    /// Losses of the last second.
    LostSeconds,
    /// Lost batches of writes.
    LostBatches,
    /// Reservations that end as reserved.
    Reserved,
    /// Reservations that end as cancelled.
    Cancelled,
    /// Reservations that end as rejected.
    Rejected,
    /// Rejected reservations whose payment was closed before anything was paid.
    Closed,
    /// Rejected reservations whose payment was refunded.
    Returned,
}

/// The value of every counter.
#[derive(Clone, Debug, Default)]
pub struct Counters([Cell<u64>; Counter::LABELS.len()]);

// === impl Counter ===

impl Counter {
    const LABELS: [(Self, &'static str); 17] = [
        (Self::PortCalls, "port calls"),
        (Self::Crashes, "crashes of contexts"),
        (Self::Kills, "calls killed in the middle"),
        (Self::Unanswered, "calls without a response"),
        (Self::Events, "events in the log"),
        (Self::Deliveries, "deliveries of events"),
        (Self::Redeliveries, "of them repeated"),
        (Self::Sweeps, "sweeps"),
        (Self::Parked, "parked events"),
        (Self::Rebuilds, "rebuilds of the view"),
        (Self::LostSeconds, "losses of the last second"),
        (Self::LostBatches, "lost batches of writes"),
        (Self::Reserved, "reservations that stand"),
        (Self::Cancelled, "cancelled"),
        (Self::Rejected, "rejected"),
        (Self::Closed, "of them closed to payments"),
        (Self::Returned, "of them paid and returned"),
    ];
}

// === impl Counters ===

impl Counters {
    /// Adds one to a counter.
    pub fn count(&self, what: Counter) {
        self.add(what, 1);
    }

    /// Counts the final stages of the reservations that the oracle has recorded.
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

    /// Adds the values of other counters.
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
