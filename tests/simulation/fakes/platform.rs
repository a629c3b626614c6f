//! A fake of [`Platform`]: two stores, the event log and the clock of the schedule.

use super::store::FakeStore;
use crate::{context::ContextId, counters::Counter, world::World};
use events::{CloudEvent, Timestamp};
use kit::{LogError, Platform};
use std::{rc::Rc, time::Duration};

/// A delayed append happens within this time, in milliseconds.
const MAX_DELAY_MS: usize = 4_000;

/// The platform of one context.
#[derive(Clone)]
pub struct FakePlatform {
    /// The shared state.
    pub world: Rc<World>,
    /// The store of the aggregates.
    pub state: FakeStore,
    /// The store of pending work.
    pub outbox: FakeStore,
}

impl FakePlatform {
    /// The platform of a context with empty stores.
    pub fn new(world: &Rc<World>, context: ContextId) -> Self {
        Self {
            world: Rc::clone(world),
            state: FakeStore::new(world, context, false),
            outbox: FakeStore::new(world, context, true),
        }
    }
}

impl Platform for FakePlatform {
    type Store = FakeStore;

    fn state(&self) -> &FakeStore {
        &self.state
    }

    fn outbox(&self) -> &FakeStore {
        &self.outbox
    }

    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError> {
        let event =
            CloudEvent::parse(event.as_bytes()).map_err(|error| LogError(error.to_string()))?;
        self.world
            .port_call(|| format!("appends {}", name(&event)))
            .await;
        let append = {
            let (world, stream) = (Rc::clone(&self.world), stream.to_owned());
            move || {
                world.oracle.borrow_mut().record_event(&event);
                world.counters.count(Counter::Events);
                world.log.append(&stream, event);
            }
        };
        let outcome = self.world.faults.log_outcome(&self.world.random);
        match self.world.execute(outcome, MAX_DELAY_MS, append) {
            true => Ok(()),
            false => Err(LogError("no reply".into())),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.world.host_time())
    }

    fn host(&self) -> String {
        self.world.host_name()
    }

    fn unique_id(&self) -> String {
        self.world.unique()
    }

    async fn sleep(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.world.sleep(millis).await;
    }
}

/// The type and the id of an event, for the trace.
pub fn name(event: &CloudEvent) -> String {
    let json = serde_json::to_value(&event.event).unwrap_or_default();
    let kind = json["type"].as_str().unwrap_or_default();
    format!("{kind} {}", event.id)
}
