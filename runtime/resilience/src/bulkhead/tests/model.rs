//! Random sequences of calls, compared with a model that keeps one list and searches it.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Arrive(Priority),
    /// A call arrives unless [`Bulkhead::try_reject`] rejects it.
    TryReject(Priority),
    /// A running call ends.
    End(usize),
    /// A waiting call is cancelled.
    Cancel(usize),
    Resize(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop::sample::select(&LEVELS[..]);
    let step = prop_oneof![
        6 => priority.clone().prop_map(Step::Arrive),
        2 => priority.prop_map(Step::TryReject),
        4 => any::<usize>().prop_map(Step::End),
        2 => any::<usize>().prop_map(Step::Cancel),
        1 => (1..5_usize).prop_map(Step::Resize),
    ];
    vec(step, 0..120)
}

/// The expected state: numbers of calls, in order of arrival.
#[derive(Default)]
struct Model {
    concurrency: usize,
    queue_capacity: usize,
    running: Vec<usize>,
    waiting: Vec<ModelWaiter>,
    rejected: Vec<usize>,
    /// The highest priority of a rejected call. The clock stands still, so no overload ends.
    overload: Option<Priority>,
}

#[derive(Clone, Copy)]
struct ModelWaiter {
    number: usize,
    priority: Priority,
    /// Whether it waits in the overload queue.
    is_overload: bool,
}

impl Model {
    fn arrive(&mut self, priority: Priority, number: usize) {
        if self.running.len() < self.concurrency {
            return self.running.push(number);
        }
        let is_overload = self.overload.is_some_and(|rejected| rejected >= priority);
        let queue = self
            .waiting
            .iter()
            .filter(|it| it.is_overload == is_overload);
        if queue.clone().count() >= self.capacity(is_overload) {
            match queue.map(|it| it.priority).min() {
                Some(lowest) if lowest < priority => self.displace(is_overload, lowest),
                _ => return self.reject(number, priority),
            }
        }
        self.waiting.push(ModelWaiter {
            number,
            priority,
            is_overload,
        });
    }

    fn capacity(&self, is_overload: bool) -> usize {
        match is_overload {
            true => self.queue_capacity.min(self.concurrency.div_ceil(4)),
            false => self.queue_capacity,
        }
    }

    fn displace(&mut self, is_overload: bool, lowest: Priority) {
        let is_displaced =
            |it: &ModelWaiter| it.is_overload == is_overload && it.priority == lowest;
        let index = self.waiting.iter().rposition(is_displaced).unwrap();
        let displaced = self.waiting.remove(index);
        self.reject(displaced.number, lowest);
    }

    fn reject(&mut self, number: usize, priority: Priority) {
        self.rejected.push(number);
        self.overload = self.overload.max(Some(priority));
    }

    fn admit_waiting(&mut self) {
        while self.running.len() < self.concurrency && !self.waiting.is_empty() {
            let highest = self.waiting.iter().map(|it| it.priority).max().unwrap();
            let is_next = |is_overload| {
                move |it: &ModelWaiter| it.priority == highest && it.is_overload == is_overload
            };
            let overload = self.waiting.iter().position(is_next(true));
            let normal = self.waiting.iter().position(is_next(false));
            let next = overload.or(normal).unwrap();
            self.running.push(self.waiting.remove(next).number);
        }
    }
}

/// The bulkhead under test, with every call that has not ended.
struct Calls {
    bulkhead: Bulkhead,
    waiting: Vec<(usize, Acquiring)>,
    running: Vec<(usize, BulkheadPermit)>,
    rejected: Vec<usize>,
}

impl Calls {
    fn new(bulkhead: Bulkhead) -> Self {
        Self {
            bulkhead,
            waiting: Vec::new(),
            running: Vec::new(),
            rejected: Vec::new(),
        }
    }

    fn arrive(&mut self, priority: Priority, number: usize) {
        let bulkhead = self.bulkhead.clone();
        let call = async move { acquire(&bulkhead, priority).await };
        self.waiting.push((number, Box::pin(call)));
    }

    /// Polls every waiting call once.
    fn poll(&mut self) {
        for (number, mut call) in std::mem::take(&mut self.waiting) {
            match poll(&mut call) {
                Poll::Pending => self.waiting.push((number, call)),
                Poll::Ready(Ok(permit)) => self.running.push((number, permit)),
                Poll::Ready(Err(_)) => self.rejected.push(number),
            }
        }
    }
}

/// Applies one step to both.
fn apply(step: Step, number: usize, calls: &mut Calls, model: &mut Model) {
    match step {
        Step::TryReject(priority) if calls.bulkhead.try_reject(priority).is_some() => {
            calls.rejected.push(number);
            model.arrive(priority, number);
        }
        Step::Arrive(priority) | Step::TryReject(priority) => {
            calls.arrive(priority, number);
            model.arrive(priority, number);
        }
        Step::End(index) if !model.running.is_empty() => {
            let ended = model.running.remove(index % model.running.len());
            calls.running.retain(|(number, _)| *number != ended);
            model.admit_waiting();
        }
        Step::Cancel(index) if !model.waiting.is_empty() => {
            let cancelled = model.waiting.remove(index % model.waiting.len());
            calls
                .waiting
                .retain(|(number, _)| *number != cancelled.number);
        }
        Step::End(_) | Step::Cancel(_) => {}
        Step::Resize(concurrency) => {
            calls.bulkhead.resize(concurrency);
            model.concurrency = concurrency;
            model.admit_waiting();
        }
    }
    // The first poll lets the new call into the queue. It may displace a call that was polled before it.
    calls.poll();
    calls.poll();
}

fn sorted(numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<usize> = numbers.into_iter().collect();
    numbers.sort_unstable();
    numbers
}

fn compare(
    concurrency: usize,
    queue_capacity: usize,
    steps: Vec<Step>,
) -> Result<(), TestCaseError> {
    let mut model = Model {
        concurrency,
        queue_capacity,
        ..Model::default()
    };
    let mut calls = Calls::new(bulkhead(concurrency, queue_capacity));
    for (number, step) in steps.into_iter().enumerate() {
        apply(step, number, &mut calls, &mut model);
        let running = sorted(calls.running.iter().map(|(number, _)| *number));
        let expected = sorted(model.running.clone());
        prop_assert_eq!(running, expected, "running after {:?}", step);
        let rejected = sorted(calls.rejected.clone());
        let expected = sorted(model.rejected.clone());
        prop_assert_eq!(rejected, expected, "rejected after {:?}", step);
        let snapshot = calls.bulkhead.snapshot();
        prop_assert_eq!(snapshot.running, model.running.len());
        prop_assert_eq!(snapshot.waiting, model.waiting.len());
        prop_assert!(snapshot.waiting <= 2 * queue_capacity);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_sequence_of_calls_matches_the_model(
        concurrency in 1..5_usize,
        queue_capacity in 0..5_usize,
        steps in steps(),
    ) {
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        clock.unwrap().block_on(async { compare(concurrency, queue_capacity, steps) })?;
    }
}
