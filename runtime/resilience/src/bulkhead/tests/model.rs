//! Random crowds at the door, compared with a model that keeps one list and sorts it by hand.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Arrive(Priority),
    /// Somebody asks whether he would be refused, and comes if not.
    Ask(Priority),
    /// One of those who run ends.
    End(usize),
    /// One of those who wait gives up.
    GiveUp(usize),
    Resize(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let priority = prop::sample::select(&LEVELS[..]);
    let step = prop_oneof![
        6 => priority.clone().prop_map(Step::Arrive),
        2 => priority.prop_map(Step::Ask),
        4 => any::<usize>().prop_map(Step::End),
        2 => any::<usize>().prop_map(Step::GiveUp),
        1 => (1..5_usize).prop_map(Step::Resize),
    ];
    vec(step, 0..120)
}

/// What must be so: numbers of calls, in the order in which they came.
#[derive(Default)]
struct Model {
    concurrency: usize,
    queue: usize,
    running: Vec<usize>,
    waiting: Vec<Waiter>,
    refused: Vec<usize>,
    /// The most that anybody mattered who was refused. The clock stands still, so no overload ends.
    overload: Option<Priority>,
}

#[derive(Clone, Copy)]
struct Waiter {
    number: usize,
    priority: Priority,
    /// He came in an overload.
    is_overload: bool,
}

impl Model {
    fn arrive(&mut self, priority: Priority, number: usize) {
        if self.running.len() < self.concurrency {
            return self.running.push(number);
        }
        let is_overload = self.overload.is_some_and(|refused| refused >= priority);
        let in_line = self
            .waiting
            .iter()
            .filter(|it| it.is_overload == is_overload);
        let room = match is_overload {
            true => self.queue.min(self.concurrency.div_ceil(4)),
            false => self.queue,
        };
        if in_line.clone().count() >= room {
            let least = in_line.map(|it| it.priority).min();
            match least {
                None => return self.refuse(number, priority),
                Some(least) if least >= priority => return self.refuse(number, priority),
                Some(least) => {
                    let is_least =
                        |it: &Waiter| it.is_overload == is_overload && it.priority == least;
                    let youngest = self.waiting.iter().rposition(is_least).unwrap();
                    let displaced = self.waiting.remove(youngest);
                    self.refuse(displaced.number, least);
                }
            }
        }
        self.waiting.push(Waiter {
            number,
            priority,
            is_overload,
        });
    }

    fn refuse(&mut self, number: usize, priority: Priority) {
        self.refused.push(number);
        self.overload = self.overload.max(Some(priority));
    }

    fn fill(&mut self) {
        while self.running.len() < self.concurrency && !self.waiting.is_empty() {
            let most = self.waiting.iter().map(|it| it.priority).max().unwrap();
            let is_next = |is_overload| {
                move |it: &Waiter| it.priority == most && it.is_overload == is_overload
            };
            let overload_queue = self.waiting.iter().position(is_next(true));
            let normal = self.waiting.iter().position(is_next(false));
            let next = overload_queue.or(normal).unwrap();
            self.running.push(self.waiting.remove(next).number);
        }
    }
}

/// The real bulkhead with every call that has not ended.
struct Crowd {
    bulkhead: Bulkhead,
    waiting: Vec<(usize, Acquiring)>,
    running: Vec<(usize, BulkheadPermit)>,
    refused: Vec<usize>,
}

impl Crowd {
    /// Lets everybody who waits see whether something happened.
    fn settle(&mut self) {
        for (number, mut call) in std::mem::take(&mut self.waiting) {
            match look(&mut call) {
                Poll::Pending => self.waiting.push((number, call)),
                Poll::Ready(Ok(permit)) => self.running.push((number, permit)),
                Poll::Ready(Err(_)) => self.refused.push(number),
            }
        }
    }
}

fn sorted(mut numbers: Vec<usize>) -> Vec<usize> {
    numbers.sort_unstable();
    numbers
}

fn compare(concurrency: usize, queue: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut model = Model {
        concurrency,
        queue,
        ..Model::default()
    };
    let bulkhead = bulkhead(concurrency, queue);
    let mut crowd = Crowd {
        bulkhead,
        waiting: vec![],
        running: vec![],
        refused: vec![],
    };
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Ask(priority) if crowd.bulkhead.try_reject(priority).is_some() => {
                crowd.refused.push(number);
                model.arrive(priority, number);
            }
            Step::Arrive(priority) | Step::Ask(priority) => {
                let bulkhead = crowd.bulkhead.clone();
                crowd.waiting.push((
                    number,
                    Box::pin(async move { acquire(&bulkhead, priority).await }),
                ));
                model.arrive(priority, number);
            }
            Step::End(index) if !model.running.is_empty() => {
                let ended = model.running.remove(index % model.running.len());
                crowd.running.retain(|(number, _)| *number != ended);
                model.fill();
            }
            Step::GiveUp(index) if !model.waiting.is_empty() => {
                let gone = model.waiting.remove(index % model.waiting.len());
                crowd.waiting.retain(|(number, _)| *number != gone.number);
            }
            Step::End(_) | Step::GiveUp(_) => {}
            Step::Resize(concurrency) => {
                crowd.bulkhead.resize(concurrency);
                model.concurrency = concurrency;
                model.fill();
            }
        }
        // The first look lets the newcomer in line, who may have displaced one looked at before.
        crowd.settle();
        crowd.settle();
        let running = crowd.running.iter().map(|(number, _)| *number).collect();
        prop_assert_eq!(
            sorted(running),
            sorted(model.running.clone()),
            "running after {:?}",
            step
        );
        prop_assert_eq!(
            sorted(crowd.refused.clone()),
            sorted(model.refused.clone()),
            "{:?}",
            step
        );
        let BulkheadSnapshot {
            running, waiting, ..
        } = crowd.bulkhead.snapshot();
        prop_assert_eq!(
            (running, waiting),
            (model.running.len(), model.waiting.len())
        );
        prop_assert!(waiting <= 2 * queue);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn every_crowd_is_served_as_the_model_says(
        concurrency in 1..5_usize,
        queue in 0..5_usize,
        steps in steps(),
    ) {
        let clock = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        clock.unwrap().block_on(async { compare(concurrency, queue, steps) })?;
    }
}
