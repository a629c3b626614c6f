//! What every task of a schedule shares: the random, the clock, the faults, the log, and the one
//! way to wait. A port call is [`World::turn`] and then its effect, so the scheduler stands between
//! any two of them.

use crate::{
    counters::{Counter, Counters},
    event_log::Log,
    fakes::{Context, ResponseSlot},
    fault_profile::{CallOutcome, FaultProfile},
    mutation::Mutation,
    oracle::Oracle,
    random::SeededRandom,
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
    Turn,
    /// A moment.
    Until(u64),
    /// An answer, or the moment when its caller gives up.
    Answer(Rc<ResponseSlot>, u64),
}

/// A call on its way to a context.
pub struct Outgoing {
    /// Who is called.
    pub to: Context,
    /// With what.
    pub request: Request,
    /// Where the answer goes.
    pub slot: Rc<ResponseSlot>,
}

/// An effect that takes place after its caller was told that nobody answers.
type Late = (u64, Box<dyn FnOnce()>);

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
    drawn: Cell<u64>,
    still: Cell<bool>,
    waits: RefCell<Vec<(Wait, Waker)>>,
    outgoing: Rc<RefCell<Vec<Outgoing>>>,
    late: RefCell<Vec<Late>>,
    trace: Option<RefCell<Vec<String>>>,
    speaker: RefCell<String>,
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
            drawn: Cell::new(0),
            still: Cell::new(false),
            waits: RefCell::default(),
            outgoing: Rc::default(),
            late: RefCell::default(),
            trace: traced.then(RefCell::default),
            speaker: RefCell::default(),
        }
    }

    /// Whether `mutation` was seeded.
    pub fn has_mutation(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    // --- waiting ---

    /// The scheduling point before a port call; `what` is called for the trace.
    pub async fn turn(&self, what: impl FnOnce() -> String) {
        if !self.still.get() {
            self.wait_for(|| Wait::Turn).await;
            self.counters.count(Counter::PortCalls);
            self.note(what);
        }
    }

    /// Lets somebody look at the world while nothing else happens: port calls take no turns.
    pub fn hold_still<T>(&self, look: impl FnOnce() -> T) -> T {
        self.still.set(true);
        let seen = look();
        self.still.set(false);
        seen
    }

    /// Waits until `millis` went by.
    pub async fn pause(&self, millis: u64) {
        let until = self.now() + millis;
        self.wait_for(|| Wait::Until(until)).await;
    }

    /// Calls a context; nothing when it does not answer within `patience` milliseconds.
    pub async fn call(&self, to: Context, request: Request, patience: u64) -> Option<Response> {
        self.turn(|| format!("calls {to:?}: {} {}", request.method(), request.uri()))
            .await;
        let slot = Rc::new(ResponseSlot::default());
        let depart = {
            let (slot, outgoing) = (Rc::clone(&slot), Rc::clone(&self.outgoing));
            move || outgoing.borrow_mut().push(Outgoing { to, request, slot })
        };
        match self.faults.call_outcome(&self.random) {
            CallOutcome::Delayed => {
                self.is_not_answered(|| "the call is late".into());
                self.later(MAX_DELAY_MS, depart);
            }
            CallOutcome::Dropped => self.is_not_answered(|| "the call is lost".into()),
            CallOutcome::Applied | CallOutcome::ReplyLost => depart(),
        }
        let until = self.now() + patience;
        self.wait_for(|| Wait::Answer(Rc::clone(&slot), until))
            .await;
        slot.take()
    }

    /// Gives the turn away; the scheduler finds out from [`Self::waits`] when to give it back.
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
    pub fn waits(&self) -> impl Iterator<Item = (Wait, Waker)> {
        self.waits.take().into_iter()
    }

    /// The calls that left since the last time.
    pub fn departures(&self) -> Vec<Outgoing> {
        self.outgoing.replace(Vec::new())
    }

    /// Notes that a call is not answered.
    pub fn is_not_answered(&self, how: impl FnOnce() -> String) {
        self.counters.count(Counter::Unanswered);
        self.note(how);
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
            let next = self.late.borrow().iter().map(|late| late.0).min();
            let Some(due) = next.filter(|due| *due <= until) else {
                break;
            };
            self.clock.set(self.now().max(due));
            self.arrive(|late| late.0 == due);
        }
        self.clock.set(until);
    }

    /// Lets `effect` take place at some moment up to `most` milliseconds from now.
    pub fn later(&self, most: usize, effect: impl FnOnce() + 'static) {
        let due = self.now() + 1 + self.random.below(most) as u64;
        self.late.borrow_mut().push((due, Box::new(effect)));
    }

    /// Lets one late effect arrive, if there is any.
    pub fn arrive_one(&self) {
        let due = self.late.borrow().iter().map(|late| late.0).min();
        if let Some(due) = due {
            self.arrive(|late| late.0 == due);
        }
    }

    /// Lets everything arrive that is late.
    pub fn arrive_all(&self) {
        self.arrive(|_| true);
    }

    fn arrive(&self, which: impl Fn(&Late) -> bool) {
        let (due, rest) = self.late.take().into_iter().partition(which);
        *self.late.borrow_mut() = rest;
        let due: Vec<Late> = due;
        for (_, effect) in due {
            self.note(|| "something late arrives".into());
            effect();
        }
    }

    /// 32 hexadecimal digits that were not drawn before.
    pub fn unique(&self) -> String {
        self.drawn.set(self.drawn.get() + 1);
        format!("{:016x}{:016x}", self.random.next_u64(), self.drawn.get())
    }

    // --- the trace ---

    /// Whether a trace is kept.
    pub fn is_traced(&self) -> bool {
        self.trace.is_some()
    }

    /// Writes a line of the trace.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if let Some(trace) = &self.trace {
            let millis = self.now() % 10_000_000;
            let line = format!("{millis:>8} {:<28} {}", self.speaker.borrow(), line());
            trace.borrow_mut().push(line);
        }
    }

    /// Whose lines follow.
    pub fn speaks(&self, speaker: &str) {
        if self.trace.is_some() {
            speaker.clone_into(&mut self.speaker.borrow_mut());
        }
    }

    /// The trace so far.
    pub fn trace(&self) -> Vec<String> {
        self.trace
            .as_ref()
            .map(|trace| trace.borrow().clone())
            .unwrap_or_default()
    }
}
