//! How many instances the requests in progress need.
//!
//! An instance that has responded is idle a moment later, when its guest has ended too. A request that arrives at that
//! moment waits for it instead of starting another instance: under load, the pool would otherwise grow to its maximum,
//! whatever the number of clients. A request whose wait is over counts as one more, so that an instance whose guest works
//! on after its response keeps no request waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The requests in progress and the instances that exist for them.
#[derive(Debug, Default)]
pub struct Demand {
    needed: AtomicUsize,
    instances: AtomicUsize,
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub struct DemandingRequest {
    demand: Arc<Demand>,
    needed: usize,
}

/// An instance for requests, until it is dropped.
#[derive(Debug)]
pub struct DemandedInstance(Arc<Demand>);

/// Enough instances exist, and one of them becomes idle soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another instance becomes idle soon")]
pub struct NoDemand;

// === impl Demand ===

impl Demand {
    /// A request begins.
    pub fn request(self: &Arc<Self>) -> DemandingRequest {
        self.needed.fetch_add(1, Ordering::AcqRel);
        DemandingRequest {
            demand: self.clone(),
            needed: 1,
        }
    }

    /// Counts one more instance.
    ///
    /// # Errors
    /// When there is one for each request in progress.
    pub fn instance(self: &Arc<Self>) -> Result<DemandedInstance, NoDemand> {
        let needed = self.needed.load(Ordering::Acquire);
        self.instances
            .try_update(Ordering::AcqRel, Ordering::Acquire, |instances| {
                (instances < needed).then_some(instances + 1)
            })
            .map_err(|_| NoDemand)?;
        Ok(DemandedInstance(self.clone()))
    }

    /// Counts one more instance, whether a request needs it or not.
    pub fn instance_in_advance(self: &Arc<Self>) -> DemandedInstance {
        self.instances.fetch_add(1, Ordering::AcqRel);
        DemandedInstance(self.clone())
    }
}

// === impl DemandingRequest ===

impl DemandingRequest {
    /// The request has waited long enough for the present instances.
    pub fn need_another(&mut self) {
        self.needed += 1;
        self.demand.needed.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for DemandingRequest {
    fn drop(&mut self) {
        self.demand.needed.fetch_sub(self.needed, Ordering::AcqRel);
    }
}

// === impl DemandedInstance ===

impl Drop for DemandedInstance {
    fn drop(&mut self) {
        self.0.instances.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_instance_for_each_request() {
        let demand = Arc::new(Demand::default());
        assert!(demand.instance().is_err(), "nothing needs an instance");
        let first = demand.request();
        let instance = demand.instance().unwrap();
        assert!(demand.instance().is_err());
        let _second = demand.request();
        let _other = demand.instance().unwrap();
        drop((first, instance));
        assert!(demand.instance().is_err(), "the other instance is enough");
    }

    #[test]
    fn a_request_that_has_waited_gets_another_instance() {
        let demand = Arc::new(Demand::default());
        let finished = demand.request();
        let _works_on = demand.instance().unwrap();
        drop(finished);
        let mut waiting = demand.request();
        assert!(demand.instance().is_err());
        waiting.need_another();
        assert!(demand.instance().is_ok());
        drop(waiting);
        assert_eq!(demand.needed.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn instances_in_advance_count() {
        let demand = Arc::new(Demand::default());
        let _ready = demand.instance_in_advance();
        let _request = demand.request();
        assert!(demand.instance().is_err());
    }
}
