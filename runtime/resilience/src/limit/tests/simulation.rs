//! A service with so many processors and one queue, simulated event by event, and a limit in front of it.
//!
//! The figures are those of the platform's promise under overload: what is served stays near the peak, and what is
//! admitted does not wait much longer than it would alone.

use super::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Who calls what.
struct Scene {
    processors: usize,
    /// What a call takes on average, at this second.
    work: fn(f64) -> f64,
    /// Calls that arrive per second.
    rate: f64,
    seconds: f64,
}

/// What was seen in the second half of the scene.
#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    refused: usize,
    /// How long each admitted call took, in seconds, the shortest first.
    took: Vec<f64>,
    seconds: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// The work of one processor is done.
    Done(usize),
}

impl Seen {
    fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    fn percentile(&self, percent: usize) -> f64 {
        self.took[(self.took.len() - 1) * percent / 100]
    }
}

fn play(settings: LimitSettings, scene: &Scene) -> (Seen, Estimator) {
    let mut luck = fastrand::Rng::with_seed(7);
    let mut estimator = Estimator::new(settings);
    let mut events = BinaryHeap::from([Reverse((0_u64, Event::Arrival))]);
    let mut queue = VecDeque::new();
    let mut processors = vec![None::<ObservedCall>; scene.processors];
    let mut seen = Seen {
        seconds: scene.seconds / 2.0,
        ..Seen::default()
    };
    let seconds = |nanos: u64| nanos as f64 / 1e9;
    while let Some(Reverse((nanos, event))) = events.pop() {
        let now = Duration::from_nanos(nanos);
        if now.as_secs_f64() > scene.seconds {
            break;
        }
        let counts = now.as_secs_f64() > scene.seconds / 2.0;
        match event {
            Event::Arrival => {
                // Exponential pauses: independent callers.
                let pause = -(1.0 - luck.f64()).ln() / scene.rate;
                events.push(Reverse((nanos + (pause * 1e9) as u64, Event::Arrival)));
                match estimator.running() < estimator.limit() {
                    true => queue.push_back(estimator.enter(now)),
                    false => seen.refused += usize::from(counts),
                }
            }
            Event::Done(processor) => {
                if let Some(ticket) = processors[processor].take() {
                    estimator.leave(ticket, LimitOutcome::Success, now);
                    if counts {
                        seen.answered += 1;
                        seen.took
                            .push(seconds(nanos) - ticket.start().as_secs_f64());
                    }
                }
            }
        }
        for (number, processor) in processors.iter_mut().enumerate() {
            if let (None, Some(ticket)) = (&processor, queue.front()) {
                *processor = Some(*ticket);
                queue.pop_front();
                let work = (scene.work)(seconds(nanos)) * (0.5 + luck.f64());
                events.push(Reverse((nanos + (work * 1e9) as u64, Event::Done(number))));
            }
        }
    }
    seen.took.sort_by(f64::total_cmp);
    (seen, estimator)
}

const MILLISECOND: f64 = 0.001;

#[test]
fn ten_times_overload_keeps_the_peak_and_short_calls() {
    let scene = Scene {
        processors: 2,
        work: |_| MILLISECOND,
        rate: 20_000.0,
        seconds: 20.0,
    };
    let (seen, estimator) = play(LimitSettings::default(), &scene);
    let (rate, p99) = (seen.rate(), seen.percentile(99));
    assert!(
        rate > 0.95 * 2000.0,
        "{rate} of 2000 calls a second, {estimator:?}"
    );
    // Alone, the slowest calls take one and a half milliseconds.
    assert!(p99 < 3.0 * 1.5 * MILLISECOND, "p99 {p99}, {estimator:?}");
    assert!(seen.refused > 10 * seen.answered / 2);
}

#[test]
fn a_service_with_room_to_spare_is_found_to_have_it() {
    // A hundred calls at once by Little's law, at half of what the service could do.
    let scene = Scene {
        processors: 200,
        work: |_| 20.0 * MILLISECOND,
        rate: 5_000.0,
        seconds: 20.0,
    };
    let (seen, estimator) = play(LimitSettings::default(), &scene);
    assert_eq!(seen.refused, 0, "{estimator:?}");
    assert!(estimator.limit() >= 100, "{estimator:?}");
}

#[test]
fn a_service_that_became_slower_gets_its_full_load_again() {
    let work = |now: f64| {
        if now < 10.0 {
            5.0 * MILLISECOND
        } else {
            20.0 * MILLISECOND
        }
    };
    let scene = Scene {
        processors: 20,
        work,
        rate: 5_000.0,
        seconds: 60.0,
    };
    let (seen, estimator) = play(LimitSettings::default(), &scene);
    assert!(
        seen.rate() > 0.9 * 1000.0,
        "{} of 1000 calls a second, {estimator:?}",
        seen.rate()
    );
    assert!(
        seen.percentile(99) < 4.0 * 20.0 * MILLISECOND,
        "{estimator:?}"
    );
}

#[test]
fn light_load_is_never_refused() {
    let scene = Scene {
        processors: 2,
        work: |_| MILLISECOND,
        rate: 600.0,
        seconds: 60.0,
    };
    let (seen, estimator) = play(LimitSettings::default(), &scene);
    assert_eq!(seen.refused, 0, "{estimator:?}");
}
