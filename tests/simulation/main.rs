//! Can any order of steps, any loss or any crash break an invariant of the platform?
//!
//! The code of the contexts, linked natively, runs on fakes of its ports ([`fakes`]). Every port call is a point at
//! which the [`scheduler`] may run another task, kill the caller, or lose the response. One seed decides every
//! choice, so a seed is a schedule and can be repeated:
//!
//! ```text
//! cargo test -p tests --test simulation schedules -- --nocapture    prints the counters, too
//! SOCAR_SCHEDULES=5000000 cargo test …                             runs more schedules, or fewer
//! SOCAR_SEED=4711 cargo test …                                     runs one schedule and prints its trace
//! ```
//!
//! [`oracle`] checks what holds at any moment, [`invariants`] checks what holds when the platform is idle.
//! [`mutation_tests`] breaks the platform on purpose and shows that the simulation detects it. [`model`] checks
//! every interleaving of one small scenario. Hosts, WebAssembly and real stores are not part of this: the other
//! test binaries cover them.

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
mod rebuild;
mod request;
mod response_slot;
mod schedule;
mod scheduler;
mod task;
mod world;

use counters::Counters;
use oracle::Violation;
use std::thread;

/// The number of schedules unless `SOCAR_SCHEDULES` sets it.
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
    for result in on_all_processors(schedules) {
        match result {
            Ok(counted) => counters.merge(&counted),
            Err(seed) => return replay(seed),
        }
    }
    println!("{schedules} schedules in {:.1?}:", started.elapsed());
    print!("{counters}");
}

/// Runs the schedules, each thread every n-th of them; a thread returns the seed of the first that breaks a promise.
fn on_all_processors(schedules: u64) -> Vec<Result<Counters, u64>> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    thread::scope(|scope| {
        let of_thread = |first| move || run_all((first..schedules).step_by(threads as usize));
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(of_thread(first)))
            .collect();
        let ended = running.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|counted| counted.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn run_all(seeds: impl Iterator<Item = u64>) -> Result<Counters, u64> {
    let counters = Counters::default();
    for seed in seeds {
        let report = schedule::run(seed, None, false);
        if report.result.is_err() {
            return Err(seed);
        }
        counters.merge(&report.counters);
    }
    Ok(counters)
}

/// Runs one schedule and prints its trace.
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
