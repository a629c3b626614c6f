//! Can any order, loss or crash break a promise?
//!
//! The contexts' own code, linked natively, runs over twins of its ports ([`fakes`]). Every port
//! call is a point where the [`scheduler`] may let somebody else go on, kill whoever calls, or leave
//! the call unanswered. A seed decides everything, so a seed is a schedule and can be run again:
//!
//! ```text
//! cargo test -p tests --test simulation schedules -- --nocapture    and says how much happened
//! SOCAR_SCHEDULES=5000000 cargo test …                             more of them, or fewer
//! SOCAR_SEED=4711 cargo test …                                     only this one, with its trace
//! ```
//!
//! [`invariants`] are checked when all is quiet, [`oracle`] checks what holds at any moment, and
//! [`mutation_tests`] shows that the simulation finds what it should: it breaks the platform on kind.
//! [`model`] walks through every order of one small story.
//! Absent on kind: hosts, WebAssembly and real stores; the other tests have them.

#![expect(clippy::expect_used, reason = "a test may stop at its first surprise")]

mod context;
mod counters;
mod customers;
mod event_log;
mod fakes;
mod fault_profile;
mod invariants;
mod model;
mod mutation;
mod mutation_tests;
mod oracle;
mod random;
mod request;
mod response_slot;
mod schedule;
mod scheduler;
mod world;

use counters::Counters;
use oracle::Violation;

/// Schedules that run where nobody says how many.
const SCHEDULES: u64 = 100_000;

#[test]
fn a_hundred_thousand_schedules_keep_every_invariant() {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    if let Some(seed) = number("SOCAR_SEED") {
        return replay(seed);
    }
    let schedules = number("SOCAR_SCHEDULES").unwrap_or(SCHEDULES);
    let started = std::time::Instant::now();
    let counters = Counters::default();
    for seed in 0..schedules {
        let report = schedule::run(seed, None, false);
        if report.result.is_err() {
            return replay(seed);
        }
        counters.merge(&report.counters);
    }
    println!("{schedules} schedules in {:.1?}:", started.elapsed());
    print!("{counters}");
}

/// Runs one schedule with its trace, for people.
fn replay(seed: u64) {
    let report = schedule::run(seed, None, true);
    for line in &report.trace {
        println!("{line}");
    }
    print!("{}", report.counters);
    if let Err(Violation(broken)) = report.result {
        panic!("SOCAR_SEED={seed} breaks a promise: {broken}");
    }
}
