//! The scheduler: a single-threaded executor whose tasks wait at their port calls. It chooses at random which task
//! continues, which one is killed and what is delivered when. Nothing else runs, so a seed determines the schedule.

mod faults;

use crate::{
    context::ContextId,
    counters::Counter,
    fakes::Contexts,
    mutation::Mutation,
    rebuild::rebuild,
    request::request,
    response_slot::ResponseSlot,
    task::{Task, TaskKind, TaskOutput},
    world::{Caller, HOSTS, OutgoingCall, Wait, World},
};
use http::Method;
use kit::http::Response;
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

pub use faults::HistorySnapshot;

/// The deadline of a call, in milliseconds, as in `spin.toml`.
const DEADLINE_MS: u64 = 5_000;

/// The scheduler of one schedule.
pub struct Scheduler {
    world: Rc<World>,
    contexts: Rc<Contexts>,
    tasks: Vec<Task>,
    /// The responses that leave the platform with the commit of the open batch.
    withheld: Option<Vec<(Rc<ResponseSlot>, Response)>>,
    /// The time at which each context is up again.
    down_until: [u64; ContextId::ALL.len()],
    spawned: usize,
}

impl Scheduler {
    /// A scheduler without tasks.
    pub fn new(world: &Rc<World>) -> Self {
        Self {
            world: Rc::clone(world),
            contexts: Rc::new(Contexts::new(world)),
            tasks: Vec::new(),
            withheld: None,
            down_until: [0; ContextId::ALL.len()],
            spawned: 0,
        }
    }

    /// The contexts whose calls it schedules.
    pub fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    // --- new tasks ---

    /// Starts the actions of a customer.
    pub fn spawn_customer(&mut self, name: &str, actions: impl Future<Output = ()> + 'static) {
        let future = Box::pin(async {
            actions.await;
            TaskOutput::None
        });
        self.spawn(name, None, TaskKind::Customer, future);
    }

    /// Starts a rebuild of the read model, unless one is under way.
    pub fn rebuild(&mut self) {
        let is_rebuild = |task: &Task| matches!(task.kind, TaskKind::Rebuild);
        if self.tasks.iter().any(is_rebuild) {
            return;
        }
        self.world.counters.count(Counter::Rebuilds);
        let world = Rc::clone(&self.world);
        let future = Box::pin(async move {
            rebuild(&world).await;
            TaskOutput::None
        });
        self.spawn("rebuild", None, TaskKind::Rebuild, future);
    }

    /// Starts a sweep on a random host.
    pub fn sweep(&mut self, context: ContextId) {
        let host = self.world.random.below(HOSTS);
        self.sweep_on(context, host);
    }

    /// Starts a sweep on a host.
    pub fn sweep_on(&mut self, context: ContextId, host: usize) {
        if self.is_down(context) {
            return;
        }
        self.world.counters.count(Counter::Sweeps);
        let contexts = Rc::clone(&self.contexts);
        let future = Box::pin(async move {
            let request = request(Method::POST, "/internal/sweep", &[], "");
            contexts.handle(context, request).await;
            TaskOutput::None
        });
        self.spawn("sweep", Some(context), TaskKind::Sweep, future);
        if let Some(task) = self.tasks.last_mut() {
            task.host = host;
        }
    }

    /// Starts the delivery of an entry of the log.
    pub fn deliver(&mut self, context: ContextId, index: usize) {
        if self.is_down(context) || self.world.is_fenced() {
            return;
        }
        if self
            .world
            .has_mutation(Mutation::AcknowledgesBeforeHandling)
        {
            self.world.log.acknowledge(context, index);
        }
        self.world.counters.count(Counter::Deliveries);
        if !self.world.log.begin(context, index) {
            self.world.counters.count(Counter::Redeliveries);
        }
        let event = self.world.log.entry(index);
        let contexts = Rc::clone(&self.contexts);
        let name = match self.world.is_traced() {
            true => format!("reaction to {}", event.id),
            false => String::new(),
        };
        let future =
            Box::pin(async move { TaskOutput::Handled(contexts.react(context, &event).await) });
        self.spawn(&name, Some(context), TaskKind::Delivery(index), future);
    }

    fn call(&mut self, outgoing: OutgoingCall) {
        let OutgoingCall {
            to,
            request,
            slot,
            caller,
        } = outgoing;
        // A host counts a call that is late as one in progress, and its fence waits for it.
        let comes_too_late =
            !caller.is_outside && caller.era < self.world.era() && !self.world.is_fenced();
        let writes_on = self.world.has_mutation(Mutation::WritesOnAfterLostBatch);
        if self.is_down(to) || (comes_too_late && !writes_on) {
            slot.fill(None);
            return;
        }
        let name = match self.world.is_traced() {
            true => format!("{} {}", request.method(), request.uri()),
            false => String::new(),
        };
        let contexts = Rc::clone(&self.contexts);
        let future =
            Box::pin(async move { TaskOutput::Response(contexts.handle(to, request).await) });
        let leaves_platform = caller.is_outside;
        let kind = TaskKind::Call {
            slot,
            leaves_platform,
        };
        let era = match leaves_platform {
            true => self.world.era(),
            false => caller.era,
        };
        self.spawn(&name, Some(to), kind, future);
        if let Some(task) = self.tasks.last_mut() {
            task.caller.era = era;
        }
    }

    fn spawn(
        &mut self,
        name: &str,
        context: Option<ContextId>,
        kind: TaskKind,
        future: Pin<Box<dyn Future<Output = TaskOutput>>>,
    ) {
        self.spawned += 1;
        let name = match (self.world.is_traced(), context) {
            (false, _) => String::new(),
            (true, Some(context)) => format!("#{} {context:?} {name}", self.spawned),
            (true, None) => name.to_owned(),
        };
        self.tasks.push(Task {
            caller: Caller {
                is_outside: matches!(kind, TaskKind::Customer),
                era: self.world.era(),
            },
            number: self.spawned,
            name,
            context,
            since: self.world.now(),
            host: self.world.random.below(HOSTS),
            is_slow: self.world.random.one_in(self.world.faults.slow_tasks),
            kind,
            waits: Vec::new(),
            future,
        });
    }

    // --- progress ---

    /// Runs one ready task until its next port call; false if no task is ready.
    pub fn run_one(&mut self) -> bool {
        for outgoing in self.world.take_outgoing() {
            self.call(outgoing);
        }
        let ready: Vec<usize> = (0..self.tasks.len())
            .filter(|index| self.is_ready(&self.tasks[*index]))
            .collect();
        if ready.is_empty() {
            return false;
        }
        let random = &self.world.random;
        let quick: Vec<usize> = ready
            .iter()
            .copied()
            .filter(|index| !self.tasks[*index].is_slow)
            .collect();
        let index = match quick.is_empty() || random.one_in(30) {
            true => random.choose(&ready),
            false => random.choose(&quick),
        };
        self.poll(index);
        true
    }

    fn is_ready(&self, task: &Task) -> bool {
        task.waits.is_empty() || task.waits.iter().any(|(wait, _)| self.is_over(wait))
    }

    fn is_over(&self, wait: &Wait) -> bool {
        match wait {
            Wait::PortCall => true,
            Wait::Until(moment) => *moment <= self.world.now(),
            Wait::Response(slot, until) => slot.is_filled() || *until <= self.world.now(),
        }
    }

    /// Ends one of the task's waits and polls the task.
    fn poll(&mut self, index: usize) {
        let over: Vec<usize> = (0..self.tasks[index].waits.len())
            .filter(|wait| self.is_over(&self.tasks[index].waits[*wait].0))
            .collect();
        let task = &mut self.tasks[index];
        match over[..] {
            [] => {}
            [only] => task.waits.swap_remove(only).1.wake(),
            _ => task
                .waits
                .swap_remove(self.world.random.choose(&over))
                .1
                .wake(),
        }
        self.world.set_trace_prefix(&task.name);
        self.world.enter(task.host, task.caller);
        let poll = task.future.as_mut();
        match poll.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => task.waits.extend(self.world.take_waits()),
            Poll::Ready(output) => {
                let task = self.tasks.remove(index);
                self.finish(&task, output);
            }
        }
        self.world.set_trace_prefix("");
    }

    fn finish(&mut self, task: &Task, output: TaskOutput) {
        match (&task.kind, output) {
            (
                TaskKind::Call {
                    slot,
                    leaves_platform,
                },
                TaskOutput::Response(response),
            ) => {
                self.world
                    .trace(|| format!("responds with {}", response.status()));
                let answers_early = self.world.has_mutation(Mutation::AnswersBeforeCommit);
                match &mut self.withheld {
                    _ if !leaves_platform => slot.fill(Some(response)),
                    // It depends on what is lost.
                    _ if task.caller.era < self.world.era() && !answers_early => slot.fill(None),
                    Some(withheld) if !answers_early => withheld.push((Rc::clone(slot), response)),
                    _ => slot.fill(Some(response)),
                }
            }
            (TaskKind::Delivery(entry), TaskOutput::Handled(handled)) => {
                self.finish_delivery(task, *entry, handled);
            }
            _ => {}
        }
    }

    fn finish_delivery(&self, task: &Task, entry: usize, handled: bool) {
        let Some(context) = task.context else {
            return;
        };
        if handled || self.world.has_mutation(Mutation::DropsFailedDeliveries) {
            self.world.log.acknowledge(context, entry);
        } else if self.world.parks_event() {
            self.world.counters.count(Counter::Parked);
            self.world.log.park(context, entry);
        }
    }

    fn is_down(&self, context: ContextId) -> bool {
        self.down_until[context as usize] > self.world.now()
    }

    // --- time ---

    /// Advances the clock by `millis` milliseconds and kills every call whose deadline has passed.
    pub fn advance(&mut self, millis: u64) {
        self.world.advance(millis);
        self.world.trace(|| format!("{millis} ms go by"));
        let now = self.world.now();
        self.kill(|task| task.context.is_some() && task.since + DEADLINE_MS <= now);
    }

    /// Advances the clock to the end of the earliest wait; false if no task waits.
    pub fn advance_to_next(&mut self) -> bool {
        let waits = self.tasks.iter().flat_map(|task| &task.waits);
        let moments = waits.filter_map(|(wait, _)| match wait {
            Wait::PortCall => None,
            Wait::Until(moment) | Wait::Response(_, moment) => Some(*moment),
        });
        let Some(next) = moments.min() else {
            return false;
        };
        self.advance(next.saturating_sub(self.world.now()));
        true
    }

    // --- state ---

    /// Whether every customer has finished.
    pub fn are_customers_done(&self) -> bool {
        self.tasks.iter().all(|task| task.context.is_some())
    }

    /// Whether an entry is being delivered to a context.
    pub fn is_delivering(&self, context: ContextId, index: usize) -> bool {
        let is_it = |task: &Task| {
            task.context == Some(context)
                && matches!(task.kind, TaskKind::Delivery(entry) if entry == index)
        };
        self.tasks.iter().any(is_it)
    }
}
