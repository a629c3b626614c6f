//! The scheduler: tasks that wait at their port calls, and one choice after the other about who goes
//! on, who dies, what is delivered and how late it is. Nothing runs but what it chooses, on one
//! thread, so a seed is a schedule.

use crate::{
    counters::Counter,
    fakes::{Context, Contexts, ResponseSlot, request},
    mutation::Mutation,
    world::{OutgoingCall, Wait, World},
};
use http::Method;
use kit::http::Response;
use std::{
    pin::Pin,
    rc::Rc,
    task::{Context as Poller, Poll, Waker},
};

/// How long a call of a context may live, in milliseconds, as `spin.toml` says.
const DEADLINE: u64 = 5_000;
/// How long a context stays down after a crash, at most.
const RESTART: usize = 3_000;

/// How a task ended.
pub enum Done {
    /// With nothing that anybody waits for.
    Nothing,
    /// With an answer.
    Answer(Response),
    /// With a reaction: whether the event was handled.
    Handled(bool),
}

/// Why a task is there.
enum Purpose {
    /// A person's errands.
    Errands,
    /// An answer for this slot.
    Call(Rc<ResponseSlot>),
    /// The delivery of a log's entry.
    Delivery(usize),
    /// A sweep.
    Sweep,
}

/// Something under way.
struct Task {
    number: usize,
    /// By which it is known in the trace.
    name: String,
    /// Where it runs and with which it dies; nowhere for people.
    home: Option<Context>,
    since: u64,
    /// Goes on only seldom while others can.
    is_slow: bool,
    purpose: Purpose,
    waits: Vec<(Wait, Waker)>,
    future: Pin<Box<dyn Future<Output = Done>>>,
}

/// The scheduler of one schedule.
pub struct Scheduler {
    world: Rc<World>,
    contexts: Rc<Contexts>,
    tasks: Vec<Task>,
    /// Until when each context is down.
    down: [u64; Context::ALL.len()],
    begun: usize,
}

impl Scheduler {
    /// A scheduler without tasks.
    pub fn new(world: &Rc<World>) -> Self {
        Self {
            world: Rc::clone(world),
            contexts: Rc::new(Contexts::new(world)),
            tasks: Vec::new(),
            down: [0; Context::ALL.len()],
            begun: 0,
        }
    }

    /// The contexts whose calls it schedules.
    pub fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    // --- what begins ---

    /// Begins a person's errands.
    pub fn errands(&mut self, name: &str, errands: impl Future<Output = ()> + 'static) {
        let future = Box::pin(async {
            errands.await;
            Done::Nothing
        });
        self.begin(name, None, Purpose::Errands, future);
    }

    /// Begins a sweep.
    pub fn sweep(&mut self, context: Context) {
        if self.is_down(context) {
            return;
        }
        self.world.counters.count(Counter::Sweeps);
        let contexts = Rc::clone(&self.contexts);
        let future = Box::pin(async move {
            let request = request(Method::POST, "/internal/sweep", &[], "");
            contexts.answer(context, request).await;
            Done::Nothing
        });
        self.begin("sweep", Some(context), Purpose::Sweep, future);
    }

    /// Begins to deliver an entry of the log.
    pub fn deliver(&mut self, context: Context, index: usize) {
        if self.is_down(context) {
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
        let future = Box::pin(async move { Done::Handled(contexts.react(context, &event).await) });
        self.begin(&name, Some(context), Purpose::Delivery(index), future);
    }

    fn call(&mut self, outgoing: OutgoingCall) {
        let OutgoingCall { to, request, slot } = outgoing;
        if self.is_down(to) {
            slot.fill(None);
            return;
        }
        let name = match self.world.is_traced() {
            true => format!("{} {}", request.method(), request.uri()),
            false => String::new(),
        };
        let contexts = Rc::clone(&self.contexts);
        let future = Box::pin(async move { Done::Answer(contexts.answer(to, request).await) });
        self.begin(&name, Some(to), Purpose::Call(slot), future);
    }

    fn begin(
        &mut self,
        name: &str,
        home: Option<Context>,
        purpose: Purpose,
        future: Pin<Box<dyn Future<Output = Done>>>,
    ) {
        self.begun += 1;
        let name = match (self.world.is_traced(), home) {
            (false, _) => String::new(),
            (true, Some(home)) => format!("#{} {home:?} {name}", self.begun),
            (true, None) => name.to_owned(),
        };
        self.tasks.push(Task {
            number: self.begun,
            name,
            home,
            since: self.world.now(),
            is_slow: self.world.random.one_in(self.world.faults.slow_tasks),
            purpose,
            waits: Vec::new(),
            future,
        });
    }

    // --- what goes on ---

    /// Lets one task that can go on do so until its next port call; false when none can.
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
            Wait::Answer(slot, until) => slot.is_filled() || *until <= self.world.now(),
        }
    }

    /// Ends one of the task's waits, and lets it go on from there.
    fn poll(&mut self, index: usize) {
        let over: Vec<usize> = (0..self.tasks[index].waits.len())
            .filter(|place| self.is_over(&self.tasks[index].waits[*place].0))
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
        let poll = task.future.as_mut();
        match poll.poll(&mut Poller::from_waker(Waker::noop())) {
            Poll::Pending => task.waits.extend(self.world.take_waits()),
            Poll::Ready(done) => {
                let task = self.tasks.remove(index);
                self.end(&task, done);
            }
        }
        self.world.set_trace_prefix("");
    }

    fn end(&self, task: &Task, done: Done) {
        match (&task.purpose, done) {
            (Purpose::Call(slot), Done::Answer(answer)) => {
                self.world.trace(|| format!("answers {}", answer.status()));
                slot.fill(Some(answer));
            }
            (Purpose::Delivery(entry), Done::Handled(handled)) => {
                self.delivered(task, *entry, handled);
            }
            _ => {}
        }
    }

    fn delivered(&self, task: &Task, entry: usize, handled: bool) {
        if let Some(home) = task.home
            && (handled || self.world.has_mutation(Mutation::DropsFailedDeliveries))
        {
            self.world.log.acknowledge(home, entry);
        }
    }

    // --- what goes wrong ---

    /// Ends tasks in the middle.
    fn kill(&mut self, which: impl Fn(&Task) -> bool) {
        let mut index = 0;
        while index < self.tasks.len() {
            if !which(&self.tasks[index]) {
                index += 1;
                continue;
            }
            let task = self.tasks.remove(index);
            self.world.counters.count(Counter::Kills);
            self.world.trace(|| format!("{} is killed", task.name));
            match &task.purpose {
                Purpose::Call(slot) => slot.fill(None),
                Purpose::Delivery(entry) => self.delivered(&task, *entry, false),
                Purpose::Errands | Purpose::Sweep => {}
            }
        }
    }

    /// Kills one task of a context.
    pub fn kill_one(&mut self) {
        let mortal = self.tasks.iter().filter(|task| task.home.is_some());
        let mortal: Vec<usize> = mortal.map(|task| task.number).collect();
        if !mortal.is_empty() {
            let chosen = self.world.random.choose(&mortal);
            self.kill(|task| task.number == chosen);
        }
    }

    /// Kills a context, all its tasks with it, and keeps it down for a while.
    pub fn crash(&mut self, context: Context) {
        self.world.trace(|| format!("{context:?} crashes"));
        self.world.counters.count(Counter::Crashes);
        self.kill(|task| task.home == Some(context));
        self.contexts.crash(context);
        let pause = self.world.random.below(RESTART) as u64;
        self.down[context as usize] = self.world.now() + pause;
    }

    /// Kills the process in which all contexts run.
    pub fn crash_all(&mut self) {
        for context in Context::ALL {
            self.crash(context);
        }
    }

    /// Brings every context up.
    pub fn restart_all(&mut self) {
        self.down = [0; Context::ALL.len()];
    }

    /// Makes one caller give up while what it called goes on.
    pub fn time_one_out(&self) {
        let waits = self.tasks.iter().flat_map(|task| &task.waits);
        let slots = waits.filter_map(|(wait, _)| match wait {
            Wait::Answer(slot, _) if !slot.is_filled() => Some(slot),
            _ => None,
        });
        let slots: Vec<_> = slots.collect();
        if !slots.is_empty() {
            self.world.trace(|| "a caller gives up".into());
            self.world.random.choose(&slots).fill(None);
        }
    }

    fn is_down(&self, context: Context) -> bool {
        self.down[context as usize] > self.world.now()
    }

    // --- time ---

    /// Lets time go by; calls that are older than their deadline are ended.
    pub fn advance(&mut self, millis: u64) {
        self.world.advance(millis);
        self.world.trace(|| format!("{millis} ms go by"));
        let now = self.world.now();
        self.kill(|task| task.home.is_some() && task.since + DEADLINE <= now);
    }

    /// Lets time go by until somebody's wait is over; false when nobody waits.
    pub fn advance_to_next(&mut self) -> bool {
        let waits = self.tasks.iter().flat_map(|task| &task.waits);
        let moments = waits.filter_map(|(wait, _)| match wait {
            Wait::PortCall => None,
            Wait::Until(moment) | Wait::Answer(_, moment) => Some(*moment),
        });
        let Some(next) = moments.min() else {
            return false;
        };
        self.advance(next.saturating_sub(self.world.now()));
        true
    }

    // --- what there is ---

    /// Whether all people are done.
    pub fn are_errands_done(&self) -> bool {
        self.tasks.iter().all(|task| task.home.is_some())
    }

    /// Whether an entry is being delivered to a context right now.
    pub fn is_delivering(&self, context: Context, index: usize) -> bool {
        let is_it = |task: &Task| {
            task.home == Some(context)
                && matches!(task.purpose, Purpose::Delivery(entry) if entry == index)
        };
        self.tasks.iter().any(is_it)
    }
}
