//! How many instances of a component there are, and who decides that there are more or fewer.
//!
//! `instances_min` instances are there before anybody calls. A call that finds none idle has one made, up to
//! `instances_max`: so the pool grows with the load. An instance that nobody has needed for `instances_idle` goes, down
//! to `instances_min`: so it shrinks. When a component is replaced by a newer build, its instances go as soon as they
//! are idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use config::policy::InstanceBounds;
use tokio::sync::watch;

/// The instances of one component, counted.
pub struct Population {
    bounds: InstanceBounds,
    alive: AtomicUsize,
    busy: AtomicUsize,
    retired: watch::Sender<bool>,
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Census {
    /// Instances, idle or not.
    pub alive: usize,
    /// Those that work on a call.
    pub busy: usize,
    /// How many there may be.
    pub max: usize,
}

/// One instance, counted until it is dropped.
pub struct Life {
    population: Arc<Population>,
    busy: AtomicBool,
    /// Set when it has been counted out already.
    left: AtomicBool,
}

/// There are as many instances as there may be.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("all {0} instances are taken")]
pub struct Full(usize);

// === impl Population ===

impl Population {
    /// Nobody yet.
    pub fn new(bounds: InstanceBounds) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            alive: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            retired: watch::Sender::new(false),
        })
    }

    /// Its bounds.
    pub fn bounds(&self) -> &InstanceBounds {
        &self.bounds
    }

    /// One more.
    ///
    /// # Errors
    /// When there are as many as there may be.
    pub fn grow(self: &Arc<Self>) -> Result<Life, Full> {
        let max = self.bounds.max;
        self.alive
            .try_update(Ordering::AcqRel, Ordering::Acquire, |alive| {
                (alive < max).then_some(alive + 1)
            })
            .map_err(|_| Full(max))?;
        Ok(Life {
            population: self.clone(),
            busy: AtomicBool::new(false),
            left: AtomicBool::new(false),
        })
    }

    /// Whether there are fewer than are to be kept.
    pub fn is_short(&self) -> bool {
        !self.is_retired() && self.alive.load(Ordering::Acquire) < self.bounds.min
    }

    /// Lets all go that are idle, now or later.
    pub fn retire(&self) {
        self.retired.send_replace(true);
    }

    /// Whether a newer build has taken over.
    pub fn is_retired(&self) -> bool {
        *self.retired.borrow()
    }

    /// Returns when a newer build has taken over.
    pub fn retirement(&self) -> impl Future<Output = ()> + Send + Sync + 'static {
        let mut retired = self.retired.subscribe();
        async move {
            // An error says that the population itself is gone, which is the same.
            let _ = retired.wait_for(|retired| *retired).await;
        }
    }

    /// Who is there.
    pub fn census(&self) -> Census {
        Census {
            alive: self.alive.load(Ordering::Acquire),
            busy: self.busy.load(Ordering::Acquire),
            max: self.bounds.max,
        }
    }
}

// === impl Life ===

impl Life {
    /// The population it belongs to.
    pub fn population(&self) -> &Population {
        &self.population
    }

    /// Whether it works on a call.
    pub fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    /// It works from now on, or is idle; says what it did before.
    pub fn set_busy(&self, busy: bool) -> bool {
        let before = self.busy.swap(busy, Ordering::Relaxed);
        match (before, busy) {
            (false, true) => self.population.busy.fetch_add(1, Ordering::AcqRel),
            (true, false) => self.population.busy.fetch_sub(1, Ordering::AcqRel),
            _ => 0,
        };
        before
    }

    /// Asks to go; the answer is no while that would leave too few.
    pub fn may_leave(&self) -> bool {
        let min = match self.population.is_retired() {
            true => 0,
            false => self.population.bounds.min,
        };
        let counted =
            self.population
                .alive
                .try_update(Ordering::AcqRel, Ordering::Acquire, |alive| {
                    (alive > min).then(|| alive - 1)
                });
        let may = counted.is_ok();
        self.left.fetch_or(may, Ordering::Relaxed);
        may
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.set_busy(false);
        if !self.left.load(Ordering::Relaxed) {
            self.population.alive.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use futures::FutureExt as _;

    fn population(min: usize, max: usize) -> Arc<Population> {
        Population::new(InstanceBounds {
            min,
            max,
            idle: Duration::from_secs(1),
        })
    }

    #[test]
    fn it_grows_to_its_maximum_and_not_beyond() {
        let population = population(0, 2);
        let (first, _second) = (population.grow().unwrap(), population.grow().unwrap());
        assert!(population.grow().is_err());
        drop(first);
        assert!(population.grow().is_ok());
    }

    #[test]
    fn it_shrinks_to_its_minimum_and_not_below() {
        let population = population(1, 2);
        let (first, second) = (population.grow().unwrap(), population.grow().unwrap());
        assert!(first.may_leave());
        assert!(!second.may_leave());
        drop(first);
        assert_eq!(population.census().alive, 1);
    }

    #[test]
    fn a_retired_one_shrinks_to_nothing() {
        let population = population(1, 2);
        let last = population.grow().unwrap();
        let retirement = population.retirement();
        population.retire();
        assert!(retirement.now_or_never().is_some());
        assert!(last.may_leave());
    }

    #[test]
    fn an_instance_that_dies_at_work_is_busy_no_more() {
        let population = population(0, 1);
        let life = population.grow().unwrap();
        life.set_busy(true);
        assert_eq!(population.census().busy, 1);
        drop(life);
        let expected = Census {
            alive: 0,
            busy: 0,
            max: 1,
        };
        assert_eq!(population.census(), expected);
    }
}
