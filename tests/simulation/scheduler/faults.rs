//! The faults of a schedule: killed tasks, crashed contexts, lost history and calls that time out.

use super::Scheduler;
use crate::{
    context::ContextId,
    counters::Counter,
    event_log::LogSnapshot,
    fakes::StoreSnapshots,
    mutation::Mutation,
    oracle::Oracle,
    task::{Task, TaskKind},
    world::Wait,
};

/// A crashed context restarts within this time, in milliseconds.
const MAX_RESTART_MS: usize = 3_000;

/// What the stores and the log held at one time.
pub struct HistorySnapshot {
    /// The time, in milliseconds.
    pub taken: u64,
    stores: StoreSnapshots,
    log: LogSnapshot,
    oracle: Oracle,
}

impl Scheduler {
    /// Loses everything that the stores and the log have kept since the snapshot.
    pub fn lose_history(&mut self, snapshot: &HistorySnapshot) {
        self.crash_all();
        self.world.drop_delayed();
        self.world.drop_outgoing();
        self.world.log.restore(&snapshot.log);
        if !self.world.has_mutation(Mutation::LosesLogAlone) {
            self.contexts.restore(&snapshot.stores);
            self.world.oracle.borrow_mut().restore(&snapshot.oracle);
        }
        self.world.has_lost_history.set(true);
        self.world.counters.count(Counter::LostSeconds);
        self.world
            .trace(|| "everything since the snapshot is lost".into());
    }

    /// Begins a batch of writes: responses that leave the platform wait for its commit.
    pub fn begin_batch(&mut self) -> HistorySnapshot {
        self.withheld = Some(Vec::new());
        self.snapshot()
    }

    /// Commits the open batch, if there is one.
    pub fn commit_batch(&mut self) {
        for (slot, response) in self.withheld.take().unwrap_or_default() {
            slot.fill(Some(response));
        }
    }

    /// Loses the batch that has begun with this snapshot, while the host goes on. Deliveries are dropped; the calls in progress
    /// know of what is lost, and write nothing more.
    pub fn lose_batch(&mut self, begun: &HistorySnapshot) {
        for (slot, _) in self.withheld.take().unwrap_or_default() {
            slot.fill(None);
        }
        self.world.drop_delayed();
        self.world.log.restore(&begun.log);
        self.contexts.restore(&begun.stores);
        self.world.oracle.borrow_mut().restore(&begun.oracle);
        self.world.begin_era();
        self.kill(|task| matches!(task.kind, TaskKind::Delivery(_)));
        self.world.counters.count(Counter::LostBatches);
        self.world.trace(|| "a batch of writes is lost".into());
    }

    /// Accepts writes again once no call is left from before the last lost batch.
    pub fn open_fence_if_over(&self) {
        let era = self.world.era();
        let is_earlier = |task: &Task| task.context.is_some() && task.caller.era < era;
        if self.world.is_fenced() && !self.tasks.iter().any(is_earlier) {
            self.world.open_fence();
            self.world.trace(|| "writes are accepted again".into());
        }
    }

    /// What the stores and the log hold now.
    pub fn snapshot(&self) -> HistorySnapshot {
        HistorySnapshot {
            taken: self.world.now(),
            stores: self.contexts.snapshot(),
            log: self.world.log.snapshot(),
            oracle: self.world.oracle.borrow().clone(),
        }
    }

    /// Kills every task that `which` selects.
    pub(super) fn kill(&mut self, which: impl Fn(&Task) -> bool) {
        let mut index = 0;
        while index < self.tasks.len() {
            if !which(&self.tasks[index]) {
                index += 1;
                continue;
            }
            let task = self.tasks.remove(index);
            self.world.counters.count(Counter::Kills);
            self.world.trace(|| format!("{} is killed", task.name));
            match &task.kind {
                TaskKind::Call { slot, .. } => slot.fill(None),
                TaskKind::Delivery(entry) => self.finish_delivery(&task, *entry, false),
                TaskKind::Customer | TaskKind::Rebuild | TaskKind::Sweep => {}
            }
        }
    }

    /// Kills one task of a context.
    pub fn kill_one(&mut self) {
        let candidates = self.tasks.iter().filter(|task| task.context.is_some());
        let candidates: Vec<usize> = candidates.map(|task| task.number).collect();
        if !candidates.is_empty() {
            let chosen = self.world.random.choose(&candidates);
            self.kill(|task| task.number == chosen);
        }
    }

    /// Crashes a context with all of its tasks; the context stays down for a random time.
    pub fn crash(&mut self, context: ContextId) {
        self.world.trace(|| format!("{context:?} crashes"));
        self.world.counters.count(Counter::Crashes);
        self.kill(|task| task.context == Some(context));
        self.contexts.crash(context);
        let pause = self.world.random.below(MAX_RESTART_MS) as u64;
        self.down_until[context as usize] = self.world.now() + pause;
    }

    /// Crashes the process that all contexts run in.
    pub fn crash_all(&mut self) {
        for context in ContextId::ALL {
            self.crash(context);
        }
    }

    /// Starts every context that is down.
    pub fn restart_all(&mut self) {
        self.down_until = [0; ContextId::ALL.len()];
    }

    /// Makes one call time out at its caller, while the called context continues.
    pub fn time_out_one_call(&self) {
        let waits = self.tasks.iter().flat_map(|task| &task.waits);
        let slots = waits.filter_map(|(wait, _)| match wait {
            Wait::Response(slot, _) if !slot.is_filled() => Some(slot),
            _ => None,
        });
        let slots: Vec<_> = slots.collect();
        if !slots.is_empty() {
            self.world.trace(|| "a caller times out".into());
            self.world.random.choose(&slots).fill(None);
        }
    }
}
