//! What happened in many schedules, so that a reader sees that things did happen.

use crate::witness::Witness;
use payment::domain::Payment;
use reservation::domain::Stage;
use std::{cell::Cell, collections::BTreeMap, fmt};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Count {
    /// Port calls.
    PortCalls,
    /// Contexts, calls and whole processes that were killed.
    Kills,
    /// Port calls and calls between contexts that were not answered.
    Silences,
    /// Deliveries of events, repeated ones included.
    Deliveries,
    /// Sweeps.
    Sweeps,
    /// Reservations that stand.
    Reserved,
    /// Reservations that were given up.
    Cancelled,
    /// Reservations that were refused.
    Rejected,
    /// Payments that were cancelled before anything was paid.
    Refused,
    /// Payments of rejected reservations that were returned.
    Compensated,
}

/// How often each happened.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<Count, u64>, BTreeMap<&'static str, u64>);

/// A tally under way.
#[derive(Debug, Default)]
pub struct Counter([Cell<u64>; 5]);

impl Counter {
    /// Counts one.
    pub fn count(&self, what: Count) {
        if let Some(cell) = self.0.get(what as usize) {
            cell.set(cell.get() + 1);
        }
    }

    /// The tally, with what the witness saw in the end.
    pub fn tally(&self, witness: &Witness) -> Tally {
        use Count::{Deliveries, Kills, PortCalls, Silences, Sweeps};
        let mut tally = Tally::default();
        for what in [PortCalls, Kills, Silences, Deliveries, Sweeps] {
            tally.add(what, self.0[what as usize].get());
        }
        for reservation in witness.reservations.values() {
            let payment = witness.payments.get(&reservation.id);
            match (reservation.stage, payment) {
                (Stage::Reserved { .. }, _) => tally.add(Count::Reserved, 1),
                (Stage::Cancelled { .. }, _) => tally.add(Count::Cancelled, 1),
                (Stage::Rejected { reason }, _) => {
                    tally.add(Count::Rejected, 1);
                    *tally.1.entry(reason.as_str()).or_default() += 1u64;
                }
                _ => {}
            }
            match (reservation.stage, payment) {
                (_, Some(Payment::Refused(_))) => tally.add(Count::Refused, 1),
                (Stage::Rejected { .. }, Some(_)) => tally.add(Count::Compensated, 1),
                _ => {}
            }
        }
        tally
    }
}

impl Tally {
    /// Adds another one.
    pub fn include(&mut self, other: &Self) {
        for (what, often) in &other.0 {
            self.add(*what, *often);
        }
        for (w, o) in &other.1 {
            *self.1.entry(w).or_default() += o;
        }
    }

    fn add(&mut self, what: Count, often: u64) {
        *self.0.entry(what).or_default() += often;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, often) in &self.0 {
            writeln!(f, "{often:>14} {what:?}")?;
        }
        writeln!(f, "{:?}", self.1)?;
        Ok(())
    }
}
