//! One schedule, from its seed to its report: some hundred random steps with faults, then the same platform without
//! faults until it is idle, then the invariants.

use crate::{
    context::ContextId,
    counters::Counters,
    customers::{Customer, customers, owner},
    invariants,
    mutation::Mutation,
    oracle::Violation,
    scheduler::{HistorySnapshot, Scheduler},
    world::{HOSTS, World},
};
use std::rc::Rc;

/// The faulty part has at most this many steps.
const MAX_FAULTY_STEPS: usize = 700;
/// The platform must be idle after this many sweeps of every context.
const MAX_SWEEPS: usize = 80;
/// The interval between sweeps, in milliseconds.
const SWEEP_INTERVAL_MS: u64 = 5_000;
/// The interval between sweeps while refunds of unknown approvals are repeated, in milliseconds: hosts that look at a
/// clock every ten minutes miss none of its time.
const LATE_SWEEP_INTERVAL_MS: u64 = 10 * 60 * 1_000;
/// All refunds must be repeated after this many of these sweeps. They take 31 hours, and some sweeps for each change of the
/// host.
const MAX_LATE_SWEEPS: usize = 400;

/// The result of a schedule.
#[derive(Debug)]
pub struct ScheduleReport {
    /// The first violation, if there is one.
    pub result: Result<(), Violation>,
    /// What happened in the schedule.
    pub counters: Counters,
    /// Every step, if the schedule was traced.
    pub trace: Vec<String>,
}

/// Runs the schedule of a seed.
pub fn run(seed: u64, mutation: Option<Mutation>, traced: bool) -> ScheduleReport {
    let world = Rc::new(World::new(seed, mutation, traced));
    world.trace(|| format!("{:?}", world.faults));
    let mut schedule = Schedule {
        scheduler: Scheduler::new(&world),
        snapshot: None,
        world: Rc::clone(&world),
    };
    let result = schedule.result();
    world.counters.count_final_stages(&world.oracle.borrow());
    ScheduleReport {
        result,
        counters: world.counters.clone(),
        trace: world.trace_lines(),
    }
}

struct Schedule {
    world: Rc<World>,
    scheduler: Scheduler,
    /// What a server that loses its last second, or a host that loses a batch, still has.
    snapshot: Option<HistorySnapshot>,
}

impl Schedule {
    fn result(&mut self) -> Result<(), Violation> {
        let cars = 1 + self.world.random.below(2);
        self.spawn(owner(&self.world, cars));
        // In a few schedules the cars are registered during the faulty part.
        if !self.world.random.one_in(8) {
            self.run_until_idle()?;
        }
        for customer in customers(&self.world, cars) {
            self.spawn(customer);
        }
        self.world.faults.enable();
        self.world.trace(|| "--- the faults begin ---".into());
        self.run_with_faults()?;
        self.world.faults.disable();
        self.scheduler.commit_batch();
        self.scheduler.restart_all();
        // Everything late arrives within these seconds, except for requests in a queue of the gateway.
        self.scheduler.advance(SWEEP_INTERVAL_MS);
        if !self.world.has_mutation(Mutation::ForgetsParkedEvents) {
            self.world.log.redrive();
        }
        self.world.trace(|| "--- the faults are over ---".into());
        self.quiesce()?;
        self.await_late_refunds()?;
        self.rebuild_view()?;
        if self.world.faults.checks_lists {
            // Reading the lists finds numbers that a crash has orphaned; a sweep removes them once they are old
            // enough.
            let contexts = self.scheduler.contexts();
            self.world
                .without_scheduling(|| invariants::read_lists(contexts))?;
            self.quiesce()?;
        }
        self.world.apply_all_delayed();
        let contexts = self.scheduler.contexts();
        self.world
            .without_scheduling(|| invariants::check(&self.world, contexts))
    }

    fn spawn(&mut self, customer: Customer) {
        let name = customer.name.clone();
        self.scheduler.spawn_customer(&name, customer.run());
    }

    fn check_oracle(&self) -> Result<(), Violation> {
        let violation = self.world.oracle.borrow().violation.clone();
        violation.map_or(Ok(()), Err)
    }

    // --- with faults ---

    fn run_with_faults(&mut self) -> Result<(), Violation> {
        let most = 100 + self.world.random.below(MAX_FAULTY_STEPS - 100);
        for _ in 0..most {
            if self.scheduler.are_customers_done() && self.world.random.one_in(20) {
                break;
            }
            self.step();
            self.check_oracle()?;
        }
        Ok(())
    }

    fn step(&mut self) {
        let world = Rc::clone(&self.world);
        let (random, faults) = (&world.random, &world.faults);
        if faults.lost_seconds > 0 && random.one_in(10) {
            self.snapshot = Some(self.scheduler.snapshot());
        }
        if faults.lost_batches > 0 && random.one_in(10) {
            self.end_batch();
        }
        self.scheduler.open_fence_if_over();
        match random.below(100) {
            // Time must advance when no task can continue.
            0..80 => {
                if !self.scheduler.run_one() && !self.scheduler.advance_to_next() {
                    self.scheduler.advance(1_000);
                }
            }
            80..92 => self.deliver_one(),
            _ if random.one_in(faults.crashes) => match random.below(4) {
                0 => self.scheduler.crash_all(),
                1 => self.scheduler.crash(random.choose(&ContextId::ALL)),
                _ => self.scheduler.kill_one(),
            },
            _ if random.one_in(faults.timeouts) => self.scheduler.time_out_one_call(),
            _ if random.one_in(faults.outages) => {
                let change = faults.toggle_outage(random);
                world.trace(|| change);
            }
            _ if random.one_in(faults.clock_settings) => world.set_a_clock(),
            _ if random.one_in(faults.lost_seconds) => self.lose_last_second(),
            _ if random.one_in(faults.rebuilds) => {
                world.log.trim(random.below(10));
                self.scheduler.rebuild();
            }
            _ if faults.parked_events > 0 && random.one_in(20) => world.log.redrive(),
            _ if random.one_in(faults.sweeps) => {
                self.scheduler.sweep(random.choose(&ContextId::SWEPT))
            }
            _ if random.one_in(faults.clock_jumps) => {
                let jump =
                    random.choose(&[100, 300, 1_000, 1_600, 2_600, 4_500, 6_000, 12_000, 125_000]);
                self.scheduler.advance(jump);
            }
            _ if random.one_in(4) => world.apply_next_delayed(),
            _ => self.scheduler.advance(1 + random.below(30) as u64),
        }
    }

    fn deliver_one(&mut self) {
        let random = &self.world.random;
        let context = random.choose(&ContextId::ALL);
        let handled = self.world.log.handled(context);
        if !handled.is_empty() && random.one_in(self.world.faults.redeliveries) {
            let index = random.choose(&handled);
            return self.scheduler.deliver(context, index);
        }
        let pending = self.world.log.pending(context);
        if pending.is_empty() {
            return;
        }
        let index = match random.one_in(2) {
            true => pending[0],
            false => random.choose(&pending),
        };
        // The trigger and the relay may deliver one entry at the same time.
        if !self.scheduler.is_delivering(context, index) || random.one_in(6) {
            self.scheduler.deliver(context, index);
        }
    }

    /// Commits or loses the open batch of writes, or begins one.
    fn end_batch(&mut self) {
        match self.snapshot.take() {
            None if self.world.is_fenced() => {}
            None => self.snapshot = Some(self.scheduler.begin_batch()),
            Some(begun) if self.world.random.one_in(self.world.faults.lost_batches) => {
                self.scheduler.lose_batch(&begun);
            }
            Some(_) => self.scheduler.commit_batch(),
        }
    }

    /// Loses the last second if a snapshot is that young.
    fn lose_last_second(&mut self) {
        let now = self.world.now();
        let young = self
            .snapshot
            .take_if(|snapshot| now - snapshot.taken <= 1_000);
        if let Some(snapshot) = young {
            self.scheduler.lose_history(&snapshot);
        }
    }

    // --- without faults ---

    /// Lets the hours go by in which the refunds of unknown approvals are repeated. One host sweeps for a while, and then
    /// another one, whose clock may differ by days.
    fn await_late_refunds(&mut self) -> Result<(), Violation> {
        if self.world.faults.clock_settings > 0 {
            (0..HOSTS).for_each(|_| self.world.set_a_clock());
        }
        let mut host = 0;
        for _ in 0..MAX_LATE_SWEEPS {
            if !self.scheduler.contexts().has_late_refunds() {
                return Ok(());
            }
            if self.world.random.one_in(4) {
                host = self.world.random.below(HOSTS);
            }
            self.scheduler.advance(LATE_SWEEP_INTERVAL_MS);
            self.scheduler.sweep_on(ContextId::Payment, host);
            self.run_until_idle()?;
        }
        Err(Violation("refunds are repeated for ever".into()))
    }

    /// Rebuilds the read model after retention, and always after a loss of history.
    fn rebuild_view(&mut self) -> Result<(), Violation> {
        let world = Rc::clone(&self.world);
        if !world.faults.checks_view {
            return Ok(());
        }
        let is_lost = world.has_lost_history.get();
        if is_lost || world.faults.rebuilds > 0 {
            world.log.trim(world.random.below(40));
            self.scheduler.rebuild();
            self.run_until_idle()?;
        }
        Ok(())
    }

    fn quiesce(&mut self) -> Result<(), Violation> {
        for _ in 0..MAX_SWEEPS {
            self.run_until_idle()?;
            let pending_work = ContextId::SWEPT
                .into_iter()
                .all(|context| self.scheduler.contexts().pending_work(context).is_empty());
            if pending_work {
                return Ok(());
            }
            self.scheduler.advance(SWEEP_INTERVAL_MS);
            for context in ContextId::SWEPT {
                self.scheduler.sweep(context);
            }
        }
        let left = ContextId::SWEPT.map(|context| self.scheduler.contexts().pending_work(context));
        Err(Violation(format!(
            "the platform does not become idle: {left:?} is left to do"
        )))
    }

    /// Runs all tasks to their end and delivers every pending event.
    fn run_until_idle(&mut self) -> Result<(), Violation> {
        for _ in 0..20_000 {
            self.check_oracle()?;
            self.scheduler.open_fence_if_over();
            if self.scheduler.run_one() {
                continue;
            }
            if !self.deliver_all() && !self.scheduler.advance_to_next() {
                return Ok(());
            }
        }
        Err(Violation("the platform does not come to an end".into()))
    }

    fn deliver_all(&mut self) -> bool {
        let mut any = false;
        for context in ContextId::ALL {
            for index in self.world.log.pending(context) {
                if !self.scheduler.is_delivering(context, index) {
                    self.scheduler.deliver(context, index);
                    any = true;
                }
            }
        }
        any
    }
}
