//! The state that all tasks of a schedule share: random source, clock, faults, log, and the only way to wait. A
//! port call is [`World::port_call`] followed by its effect, so the scheduler can act between any two of them.

use crate::{
    context::ContextId,
    counters::{Counter, Counters},
    event_log::Log,
    fault_profile::{CallOutcome, FaultProfile},
    mutation::Mutation,
    oracle::Oracle,
    random::SeededRandom,
    response_slot::ResponseSlot,
};
use kit::http::{Request, Response};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// A delayed call arrives at its context within this time, in milliseconds.
const MAX_DELAY_MS: usize = 4_000;

/// The number of hosts. A task runs on one of them.
pub const HOSTS: usize = 3;
/// By how many milliseconds the clock of a host may be ahead. Two days are more than any wait.
const CLOCK_OFFSETS_MS: [i64; 9] = [
    0,
    300,
    -2_000,
    20_000,
    -60_000,
    600_000,
    -7_200_000,
    172_800_000,
    -172_800_000,
];

/// What a task waits for.
#[derive(Debug)]
pub enum Wait {
    /// Its turn to execute a port call.
    PortCall,
    /// A time.
    Until(u64),
    /// A response, or the time at which the caller times out.
    Response(Rc<ResponseSlot>, u64),
}

/// A call that has left its caller.
pub struct OutgoingCall {
    /// The called context.
    pub to: ContextId,
    /// The request.
    pub request: Request,
    /// The slot for the response.
    pub slot: Rc<ResponseSlot>,
    /// Who makes the call.
    pub caller: Caller,
}

/// The task that runs, as far as its calls depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Whether it is no part of the platform.
    pub is_outside: bool,
    /// How many batches of writes had been lost when it began, or the call that it belongs to.
    pub era: u64,
}

/// A time, and an effect that happens then although the caller got no response.
type DelayedEffect = (u64, Box<dyn FnOnce()>);

/// The shared state.
pub struct World {
    /// The source of every choice.
    pub random: SeededRandom,
    /// The faults of the schedule.
    pub faults: FaultProfile,
    /// The mutation that must be detected, if there is one.
    pub mutation: Option<Mutation>,
    /// The event log with its subscriptions.
    pub log: Log,
    /// Records every write, event and response.
    pub oracle: RefCell<Oracle>,
    /// Counts what happens.
    pub counters: Counters,
    /// Milliseconds since the Unix epoch.
    clock: Cell<u64>,
    /// By how many milliseconds the clock of each host is ahead.
    clock_offsets: [Cell<i64>; HOSTS],
    /// The host of the running task.
    host: Cell<usize>,
    caller: Cell<Caller>,
    /// How many batches of writes were lost.
    era: Cell<u64>,
    /// Whether writes are refused, after a lost batch.
    is_fenced: Cell<bool>,
    /// Whether the last second was lost at some time.
    pub has_lost_history: Cell<bool>,
    unique_count: Cell<u64>,
    is_inspecting: Cell<bool>,
    waits: RefCell<Vec<(Wait, Waker)>>,
    outgoing: Rc<RefCell<Vec<OutgoingCall>>>,
    delayed: RefCell<Vec<DelayedEffect>>,
    trace: Option<RefCell<Vec<String>>>,
    trace_prefix: RefCell<String>,
}

impl World {
    /// The world of one seed.
    pub fn new(seed: u64, mutation: Option<Mutation>, traced: bool) -> Self {
        let random = SeededRandom::new(seed);
        Self {
            faults: FaultProfile::new(&random),
            random,
            mutation,
            log: Log::default(),
            oracle: RefCell::default(),
            counters: Counters::default(),
            clock: Cell::new(1_700_000_000_000),
            clock_offsets: Default::default(),
            host: Cell::new(0),
            caller: Cell::default(),
            era: Cell::new(0),
            is_fenced: Cell::new(false),
            has_lost_history: Cell::new(false),
            unique_count: Cell::new(0),
            is_inspecting: Cell::new(false),
            waits: RefCell::default(),
            outgoing: Rc::default(),
            delayed: RefCell::default(),
            trace: traced.then(RefCell::default),
            trace_prefix: RefCell::default(),
        }
    }

    /// Whether this is the mutation of the schedule.
    pub fn has_mutation(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    // --- waiting ---

    /// The scheduling point before a port call; `what` describes the call in the trace.
    pub async fn port_call(&self, what: impl FnOnce() -> String) {
        if !self.is_inspecting.get() {
            self.wait_for(|| Wait::PortCall).await;
            self.counters.count(Counter::PortCalls);
            self.trace(what);
        }
    }

    /// Runs `look` while nothing else happens: port calls do not wait.
    pub fn without_scheduling<T>(&self, look: impl FnOnce() -> T) -> T {
        self.is_inspecting.set(true);
        let seen = look();
        self.is_inspecting.set(false);
        seen
    }

    /// Waits for `millis` milliseconds.
    pub async fn sleep(&self, millis: u64) {
        let until = self.now() + millis;
        self.wait_for(|| Wait::Until(until)).await;
    }

    /// Calls a context; nothing if no response arrives within `timeout_ms` milliseconds.
    pub async fn call(&self, to: ContextId, request: Request, timeout_ms: u64) -> Option<Response> {
        self.port_call(|| format!("calls {to:?}: {} {}", request.method(), request.uri()))
            .await;
        let slot = Rc::new(ResponseSlot::default());
        let caller = self.caller.get();
        let send = {
            let (slot, outgoing) = (Rc::clone(&slot), Rc::clone(&self.outgoing));
            move || {
                outgoing.borrow_mut().push(OutgoingCall {
                    to,
                    request,
                    slot,
                    caller,
                })
            }
        };
        match self.faults.call_outcome(&self.random) {
            CallOutcome::Delayed => {
                self.unanswered(|| "the call is late".into());
                self.delay(MAX_DELAY_MS, send);
            }
            CallOutcome::Dropped => self.unanswered(|| "the call is lost".into()),
            CallOutcome::Applied | CallOutcome::ReplyLost => send(),
        }
        let until = self.now() + timeout_ms;
        self.wait_for(|| Wait::Response(Rc::clone(&slot), until))
            .await;
        slot.take()
    }

    /// Suspends the task; the scheduler learns from [`Self::take_waits`] when to resume it.
    async fn wait_for(&self, wait: impl Fn() -> Wait) {
        let mut waited = false;
        poll_fn(|poller| {
            if waited {
                return Poll::Ready(());
            }
            waited = true;
            let waker = poller.waker().clone();
            self.waits.borrow_mut().push((wait(), waker));
            Poll::Pending
        })
        .await;
    }

    /// The waits that the task just polled has begun, with the wakers that end them. A task that makes several
    /// calls at once waits for several things.
    pub fn take_waits(&self) -> impl Iterator<Item = (Wait, Waker)> {
        self.waits.take().into_iter()
    }

    /// The calls that have left their callers since the last time.
    pub fn take_outgoing(&self) -> Vec<OutgoingCall> {
        self.outgoing.replace(Vec::new())
    }

    /// Counts and traces a call without a response.
    pub fn unanswered(&self, how: impl FnOnce() -> String) {
        self.counters.count(Counter::Unanswered);
        self.trace(how);
    }

    /// Executes the effect of a call with this outcome; true if the caller gets the response. A delay is at most
    /// `max_delay_ms` milliseconds.
    pub fn execute(
        &self,
        outcome: CallOutcome,
        max_delay_ms: usize,
        effect: impl FnOnce() + 'static,
    ) -> bool {
        let outcome = self.behind_fence(outcome);
        match outcome {
            CallOutcome::Applied => {
                effect();
                return true;
            }
            CallOutcome::Dropped => {}
            CallOutcome::ReplyLost => effect(),
            CallOutcome::Delayed => self.delay(max_delay_ms, effect),
        }
        self.unanswered(|| format!("no reply ({outcome:?})"));
        false
    }

    /// The outcome of a write: a fence refuses it.
    pub fn behind_fence(&self, outcome: CallOutcome) -> CallOutcome {
        match self.is_fenced() {
            true => CallOutcome::Dropped,
            false => outcome,
        }
    }

    /// Whether an event whose delivery failed is parked.
    pub fn parks_event(&self) -> bool {
        self.faults.are_enabled() && self.random.one_in(self.faults.parked_events)
    }

    // --- time ---

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        self.clock.get()
    }

    /// The time that the clock of the running task's host shows.
    pub fn host_time(&self) -> u64 {
        self.now()
            .saturating_add_signed(self.clock_offsets[self.host.get()].get())
    }

    /// The name of the running task's host.
    pub fn host_name(&self) -> String {
        self.host.get().to_string()
    }

    /// Sets the host of the task that runs next, and what its calls depend on.
    pub fn enter(&self, host: usize, caller: Caller) {
        self.host.set(host);
        self.caller.set(caller);
    }

    /// How many batches of writes were lost so far.
    pub fn era(&self) -> u64 {
        self.era.get()
    }

    /// Notes that a batch of writes was lost.
    pub fn begin_era(&self) {
        self.era.set(self.era.get() + 1);
        self.is_fenced
            .set(!self.has_mutation(Mutation::WritesOnAfterLostBatch));
    }

    /// Accepts writes again.
    pub fn open_fence(&self) {
        self.is_fenced.set(false);
    }

    /// Whether writes are refused.
    pub fn is_fenced(&self) -> bool {
        self.is_fenced.get()
    }

    /// Sets the clock of a random host.
    pub fn set_a_clock(&self) {
        let host = self.random.below(HOSTS);
        let offset = self.random.choose(&CLOCK_OFFSETS_MS);
        self.clock_offsets[host].set(offset);
        self.trace(|| format!("the clock of host {host} is {offset} ms ahead"));
    }

    /// Advances the clock; delayed effects that are due happen on the way.
    pub fn advance(&self, millis: u64) {
        let until = self.now() + millis;
        loop {
            let next = self.delayed.borrow().iter().map(|effect| effect.0).min();
            let Some(due) = next.filter(|due| *due <= until) else {
                break;
            };
            self.clock.set(self.now().max(due));
            self.apply_delayed(|effect| effect.0 == due);
        }
        self.clock.set(until);
    }

    /// Delays `effect` by a random time of at most `most` milliseconds.
    pub fn delay(&self, most: usize, effect: impl FnOnce() + 'static) {
        let due = self.now() + 1 + self.random.below(most) as u64;
        self.delayed.borrow_mut().push((due, Box::new(effect)));
    }

    /// Applies the delayed effect that is due next, if there is one within seconds.
    pub fn apply_next_delayed(&self) {
        let due = self.delayed.borrow().iter().map(|effect| effect.0).min();
        let soon = self.now() + MAX_DELAY_MS as u64;
        if let Some(due) = due.filter(|due| *due <= soon) {
            self.apply_delayed(|effect| effect.0 == due);
        }
    }

    /// Drops what a server that lost its last second will never see.
    pub fn drop_delayed(&self) {
        self.delayed.borrow_mut().clear();
    }

    /// Drops the calls that have left their callers and not arrived.
    pub fn drop_outgoing(&self) {
        self.outgoing.borrow_mut().clear();
    }

    /// Applies all delayed effects.
    pub fn apply_all_delayed(&self) {
        self.apply_delayed(|_| true);
    }

    fn apply_delayed(&self, which: impl Fn(&DelayedEffect) -> bool) {
        let (due, rest) = self.delayed.take().into_iter().partition(which);
        *self.delayed.borrow_mut() = rest;
        let due: Vec<DelayedEffect> = due;
        for (_, effect) in due {
            self.trace(|| "something late arrives".into());
            effect();
        }
    }

    /// 32 hexadecimal digits that no other call returns.
    pub fn unique(&self) -> String {
        self.unique_count.set(self.unique_count.get() + 1);
        format!(
            "{:016x}{:016x}",
            self.random.next_u64(),
            self.unique_count.get()
        )
    }

    // --- the trace ---

    /// Whether the schedule is traced.
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Adds a line to the trace.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let millis = self.now() % 10_000_000;
            let line = format!("{millis:>8} {:<28} {}", self.trace_prefix.borrow(), line());
            trace.borrow_mut().push(line);
        }
    }

    /// Sets the task whose lines follow.
    pub fn set_trace_prefix(&self, trace_prefix: &str) {
        if self.trace.is_some() {
            trace_prefix.clone_into(&mut self.trace_prefix.borrow_mut());
        }
    }

    /// The lines of the trace.
    pub fn trace_lines(&self) -> Vec<String> {
        self.trace
            .as_ref()
            .map(|trace| trace.borrow().clone())
            .unwrap_or_default()
    }
}
