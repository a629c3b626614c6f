//! What every task of a schedule shares: the random, the clock, the faults, the log, and the one
//! way to wait. A port call is [`World::turn`] and then its effect, so the scheduler stands between
//! any two of them.

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

/// How late a call may arrive at its context, in milliseconds.
const MAX_DELAY_MS: usize = 4_000;

/// What a task waits for.
#[derive(Debug)]
pub enum Wait {
    /// Its next port call.
    PortCall,
    /// A moment.
    Until(u64),
    /// An answer, or the moment when its caller gives up.
    Answer(Rc<ResponseSlot>, u64),
}

/// A call on its way to a context.
pub struct OutgoingCall {
    /// Who is called.
    pub to: ContextId,
    /// With what.
    pub request: Request,
    /// Where the answer goes.
    pub slot: Rc<ResponseSlot>,
}

/// An effect that takes place after its caller was told that nobody answers.
type DelayedEffect = (u64, Box<dyn FnOnce()>);

/// What a schedule's tasks share.
pub struct World {
    /// Where every choice comes from.
    pub random: SeededRandom,
    /// What may go wrong.
    pub faults: FaultProfile,
    /// What was seeded, to show that it is caught.
    pub mutation: Option<Mutation>,
    /// The event log and who has read how much of it.
    pub log: Log,
    /// Sees every write, event and answer.
    pub oracle: RefCell<Oracle>,
    /// Counts what happens.
    pub counters: Counters,
    /// Milliseconds since the Unix epoch.
    clock: Cell<u64>,
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
            unique_count: Cell::new(0),
            is_inspecting: Cell::new(false),
            waits: RefCell::default(),
            outgoing: Rc::default(),
            delayed: RefCell::default(),
            trace: traced.then(RefCell::default),
            trace_prefix: RefCell::default(),
        }
    }

    /// Whether `mutation` was seeded.
    pub fn has_mutation(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    // --- waiting ---

    /// The scheduling point before a port call; `what` is called for the trace.
    pub async fn port_call(&self, what: impl FnOnce() -> String) {
        if !self.is_inspecting.get() {
            self.wait_for(|| Wait::PortCall).await;
            self.counters.count(Counter::PortCalls);
            self.trace(what);
        }
    }

    /// Lets somebody look at the world while nothing else happens: port calls take no turns.
    pub fn without_scheduling<T>(&self, look: impl FnOnce() -> T) -> T {
        self.is_inspecting.set(true);
        let seen = look();
        self.is_inspecting.set(false);
        seen
    }

    /// Waits until `millis` went by.
    pub async fn sleep(&self, millis: u64) {
        let until = self.now() + millis;
        self.wait_for(|| Wait::Until(until)).await;
    }

    /// Calls a context; nothing when it does not answer within `timeout_ms` milliseconds.
    pub async fn call(&self, to: ContextId, request: Request, timeout_ms: u64) -> Option<Response> {
        self.port_call(|| format!("calls {to:?}: {} {}", request.method(), request.uri()))
            .await;
        let slot = Rc::new(ResponseSlot::default());
        let send = {
            let (slot, outgoing) = (Rc::clone(&slot), Rc::clone(&self.outgoing));
            move || {
                outgoing
                    .borrow_mut()
                    .push(OutgoingCall { to, request, slot })
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
        self.wait_for(|| Wait::Answer(Rc::clone(&slot), until))
            .await;
        slot.take()
    }

    /// Gives the turn away; the scheduler finds out from [`Self::take_waits`] when to give it back.
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

    /// What the task that was just polled began to wait for, and how to tell it that the wait is over. A
    /// task that makes several calls at once waits for several things.
    pub fn take_waits(&self) -> impl Iterator<Item = (Wait, Waker)> {
        self.waits.take().into_iter()
    }

    /// The calls that left since the last time.
    pub fn take_outgoing(&self) -> Vec<OutgoingCall> {
        self.outgoing.replace(Vec::new())
    }

    /// Notes that a call is not answered.
    pub fn unanswered(&self, how: impl FnOnce() -> String) {
        self.counters.count(Counter::Unanswered);
        self.trace(how);
    }

    // --- time ---

    /// Milliseconds since the Unix epoch.
    pub fn now(&self) -> u64 {
        self.clock.get()
    }

    /// Lets time go by; what is late arrives in time.
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

    /// Lets `effect` take place at some moment up to `most` milliseconds from now.
    pub fn delay(&self, most: usize, effect: impl FnOnce() + 'static) {
        let due = self.now() + 1 + self.random.below(most) as u64;
        self.delayed.borrow_mut().push((due, Box::new(effect)));
    }

    /// Lets one late effect arrive, if there is any.
    pub fn apply_next_delayed(&self) {
        let due = self.delayed.borrow().iter().map(|effect| effect.0).min();
        if let Some(due) = due {
            self.apply_delayed(|effect| effect.0 == due);
        }
    }

    /// Lets everything arrive that is late.
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

    /// 32 hexadecimal digits that were not unique_count before.
    pub fn unique(&self) -> String {
        self.unique_count.set(self.unique_count.get() + 1);
        format!(
            "{:016x}{:016x}",
            self.random.next_u64(),
            self.unique_count.get()
        )
    }

    // --- the trace ---

    /// Whether a trace is kept.
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Writes a line of the trace.
    pub fn trace(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let millis = self.now() % 10_000_000;
            let line = format!("{millis:>8} {:<28} {}", self.trace_prefix.borrow(), line());
            trace.borrow_mut().push(line);
        }
    }

    /// Whose lines follow.
    pub fn set_trace_prefix(&self, trace_prefix: &str) {
        if self.trace.is_some() {
            trace_prefix.clone_into(&mut self.trace_prefix.borrow_mut());
        }
    }

    /// The trace so far.
    pub fn trace_lines(&self) -> Vec<String> {
        self.trace
            .as_ref()
            .map(|trace| trace.borrow().clone())
            .unwrap_or_default()
    }
}
