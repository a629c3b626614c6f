//! A simulation of a service with a number of processors and one queue, behind an adaptive limit.
//!
//! The bounds are those of the platform's promise under overload: throughput stays near the peak, and an admitted call
//! does not take much longer than it would alone.

use super::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The service and its load.
struct Scenario {
    processors: usize,
    /// The average processing time of a call that begins at this second, in seconds.
    processing_time: fn(f64) -> f64,
    /// Calls that arrive per second.
    arrival_rate: f64,
    seconds: f64,
}

/// What was measured in the second half of the simulation.
#[derive(Debug, Default)]
struct Measured {
    completed: usize,
    rejected: usize,
    /// The latency of each admitted call in seconds, in ascending order.
    latencies: Vec<f64>,
    seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// This processor has finished its call.
    Done(usize),
}

struct Simulation<'a> {
    scenario: &'a Scenario,
    random: fastrand::Rng,
    estimator: Estimator,
    /// Future events by time, in nanoseconds.
    events: BinaryHeap<Reverse<(u64, Event)>>,
    queue: VecDeque<MeasuredCall>,
    processors: Vec<Option<MeasuredCall>>,
    measured: Measured,
}

impl Measured {
    fn throughput(&self) -> f64 {
        self.completed as f64 / self.seconds
    }

    fn percentile(&self, percent: usize) -> f64 {
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }
}

impl Simulation<'_> {
    fn step(&mut self, nanos: u64, event: Event) {
        let now = Duration::from_nanos(nanos);
        let is_measured = now.as_secs_f64() > self.scenario.seconds / 2.0;
        match event {
            Event::Arrival => self.arrive(nanos, is_measured),
            Event::Done(processor) => {
                if let Some(call) = self.processors[processor].take() {
                    self.finish(call, now, is_measured);
                }
            }
        }
        self.start_waiting(nanos);
    }

    fn arrive(&mut self, nanos: u64, is_measured: bool) {
        // Independent callers: the intervals are distributed exponentially.
        let interval = -(1.0 - self.random.f64()).ln() / self.scenario.arrival_rate;
        self.schedule(nanos, interval, Event::Arrival);
        if self.estimator.running() < self.estimator.limit() {
            let call = self.estimator.begin(Duration::from_nanos(nanos));
            self.queue.push_back(call);
        } else {
            self.measured.rejected += usize::from(is_measured);
        }
    }

    fn finish(&mut self, call: MeasuredCall, now: Duration, is_measured: bool) {
        self.estimator.end(call, LimitOutcome::Success, now);
        if is_measured {
            self.measured.completed += 1;
            let latency = (now - call.start).as_secs_f64();
            self.measured.latencies.push(latency);
        }
    }

    fn start_waiting(&mut self, nanos: u64) {
        for number in 0..self.processors.len() {
            if self.processors[number].is_none()
                && let Some(call) = self.queue.pop_front()
            {
                self.processors[number] = Some(call);
                let average = (self.scenario.processing_time)(nanos as f64 / 1e9);
                let time = average * (0.5 + self.random.f64());
                self.schedule(nanos, time, Event::Done(number));
            }
        }
    }

    fn schedule(&mut self, nanos: u64, seconds: f64, event: Event) {
        self.events
            .push(Reverse((nanos + (seconds * 1e9) as u64, event)));
    }
}

fn simulate(settings: LimitSettings, scenario: &Scenario) -> (Measured, Estimator) {
    let mut simulation = Simulation {
        scenario,
        random: fastrand::Rng::with_seed(7),
        estimator: Estimator::new(settings),
        events: BinaryHeap::from([Reverse((0, Event::Arrival))]),
        queue: VecDeque::new(),
        processors: vec![None; scenario.processors],
        measured: Measured {
            seconds: scenario.seconds / 2.0,
            ..Measured::default()
        },
    };
    while let Some(Reverse((nanos, event))) = simulation.events.pop() {
        if nanos as f64 / 1e9 > scenario.seconds {
            break;
        }
        simulation.step(nanos, event);
    }
    let mut measured = simulation.measured;
    measured.latencies.sort_by(f64::total_cmp);
    (measured, simulation.estimator)
}

const MILLISECOND: f64 = 0.001;

#[test]
fn ten_times_overload_keeps_the_peak_throughput_and_low_latency() {
    let scenario = Scenario {
        processors: 2,
        processing_time: |_| MILLISECOND,
        arrival_rate: 20_000.0,
        seconds: 20.0,
    };
    let (measured, estimator) = simulate(LimitSettings::default(), &scenario);
    let (throughput, p99) = (measured.throughput(), measured.percentile(99));
    assert!(
        throughput > 0.95 * 2000.0,
        "{throughput} of 2000 calls per second, {estimator:?}"
    );
    // Alone, the slowest calls take 1.5 ms.
    assert!(p99 < 3.0 * 1.5 * MILLISECOND, "p99 {p99}, {estimator:?}");
    assert!(measured.rejected > 10 * measured.completed / 2);
}

#[test]
fn the_limit_grows_to_what_a_large_service_needs() {
    // By Little's law, 100 calls run at the same time: half of what the service can run.
    let scenario = Scenario {
        processors: 200,
        processing_time: |_| 20.0 * MILLISECOND,
        arrival_rate: 5_000.0,
        seconds: 20.0,
    };
    let (measured, estimator) = simulate(LimitSettings::default(), &scenario);
    assert_eq!(measured.rejected, 0, "{estimator:?}");
    assert!(estimator.limit() >= 100, "{estimator:?}");
}

#[test]
fn a_service_that_became_slower_reaches_its_full_throughput_again() {
    let processing_time = |now: f64| match now < 10.0 {
        true => 5.0 * MILLISECOND,
        false => 20.0 * MILLISECOND,
    };
    let scenario = Scenario {
        processors: 20,
        processing_time,
        arrival_rate: 5_000.0,
        seconds: 60.0,
    };
    let (measured, estimator) = simulate(LimitSettings::default(), &scenario);
    let throughput = measured.throughput();
    assert!(
        throughput > 0.9 * 1000.0,
        "{throughput} of 1000 calls per second, {estimator:?}"
    );
    let p99 = measured.percentile(99);
    assert!(p99 < 4.0 * 20.0 * MILLISECOND, "p99 {p99}, {estimator:?}");
}

#[test]
fn no_call_is_rejected_under_light_load() {
    let scenario = Scenario {
        processors: 2,
        processing_time: |_| MILLISECOND,
        arrival_rate: 600.0,
        seconds: 60.0,
    };
    let (measured, estimator) = simulate(LimitSettings::default(), &scenario);
    assert_eq!(measured.rejected, 0, "{estimator:?}");
}
