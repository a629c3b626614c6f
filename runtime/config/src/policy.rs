//! How long, how much, how many: the `tool.socar` tables of a manifest, which stock Spin ignores.
//!
//! `[application.tool.socar]` holds for every component, `[component.<id>.tool.socar]` for one; what guards a link
//! between two of them stands below [`links`]. A key is read in [`ComponentPolicy::overlay`] (or [`LinkPolicy`]) and nowhere else,
//! so a new one is a field, its default and one line there. The listener, of which there is one, has a table of its own
//! ([`ListenerLimits`]).

mod breaker;
mod link_policy;
pub mod links;
mod listener;
mod priorities;
mod retry;
mod value;

use std::collections::BTreeSet;
use std::time::Duration;

use resilience::Priority;

use crate::document::{ConfigError, suggest};
use crate::document::{Table, Value};
use value::{bytes, bytes_in, count, duration, set};

pub use link_policy::{Fallback, LinkPolicy};
pub use links::{LinkPolicies, OutboundPolicies};
pub use priorities::{MethodPriorities, PriorityNames};
pub use retry::RetryPolicy;

pub use listener::ListenerLimits;

/// What guards the calls of one component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentPolicy {
    /// `deadline`: how long one invocation may take, by the clock on the wall.
    pub deadline: Duration,
    /// `memory`: bytes that one linear memory of the component may grow to.
    pub memory: usize,
    /// `body`: bytes that the body of a request from outside may have.
    pub body: usize,
    /// What all of them may have together, which the listener says.
    bodies: usize,
    /// `concurrency`: calls of the component that may run at the same time, besides those over links that have places
    /// of their own.
    pub concurrency: usize,
    /// `queue`: callers that may wait for one of those places; the next one is refused.
    pub queue: usize,
    /// `instances_min`: instances that are there, however idle, also before the first call.
    pub instances_min: usize,
    /// `instances_max`: instances that may exist at the same time; enough for all calls, if it is not said.
    pub instances_max: Option<usize>,
    /// `instances_idle`: how long an instance waits for its next call before it goes.
    pub instances_idle: Duration,
    /// `sweep`: how often the host calls `POST /internal/sweep`. A component without it has nothing to sweep.
    pub sweep: Option<Duration>,
    /// `sweep_priority`: the priority of the sweep and of every call that it makes.
    pub sweep_priority: Priority,
    /// `events`: who shares the events that wake the component.
    pub events: EventDelivery,
    /// `event_types`: the CloudEvents `type`s that wake the component; every one, if it is not said.
    pub event_types: Option<BTreeSet<String>>,
    /// `delivery_attempts`: how often an event is tried before it is parked among the dead letters.
    pub delivery_attempts: u32,
    /// `delivery_concurrency`: events of different subjects that are delivered at the same time.
    pub delivery_concurrency: usize,
    /// What guards the links to the component.
    pub link: LinkPolicy,
}

/// How many instances of a component there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceBounds {
    /// Instances that are kept, however long they have been idle.
    pub min: usize,
    /// Instances at the same time, at most.
    pub max: usize,
    /// How long an instance beyond `min` stays idle before it is dropped.
    pub idle: Duration,
}

/// Who shares the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventDelivery {
    /// `"shared"`: all hosts together handle each event once.
    Shared,
    /// `"each-host"`: every host handles every event, from the beginning of the log. For local read models.
    EachHost,
}

/// Instances beyond those that are in a call.
const SPARE: usize = 8;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SECOND: Duration = Duration::from_secs(1);

impl Default for ComponentPolicy {
    fn default() -> Self {
        Self {
            deadline: 5 * SECOND,
            memory: 64 * MIB,
            body: MIB,
            bodies: ListenerLimits::default().bodies,
            concurrency: 64,
            queue: 256,
            instances_min: 0,
            instances_max: None,
            instances_idle: 10 * SECOND,
            sweep: None,
            sweep_priority: Priority::LOWEST,
            events: EventDelivery::Shared,
            event_types: None,
            delivery_attempts: 10,
            delivery_concurrency: 8,
            link: LinkPolicy::default(),
        }
    }
}

impl ComponentPolicy {
    /// Reads `[application.tool.socar]`.
    ///
    /// # Errors
    /// When a key is unknown or its value makes no sense.
    pub(crate) fn read_defaults(
        mut table: Table,
        listener: &ListenerLimits,
    ) -> Result<Self, ConfigError> {
        if let Some(sweep) = table.take("sweep") {
            return Err(sweep.error(
                "only a component can be swept",
                "move it to the [component.<id>.tool.socar] of each component that answers POST /internal/sweep",
            ));
        }
        let link = LinkPolicy {
            priority_names: PriorityNames::read(&mut table)?,
            ..LinkPolicy::default()
        };
        let defaults = Self {
            bodies: listener.bodies,
            link,
            ..Self::default()
        };
        defaults.overlay(table)
    }

    /// Reads `[component.<id>.tool.socar]`, with `self` for what it does not say.
    ///
    /// # Errors
    /// When a key is unknown or its value makes no sense.
    pub(crate) fn read(&self, mut table: Table) -> Result<Self, ConfigError> {
        if let Some(names) = table.take("priorities") {
            return Err(names.error(
                "only the application names its priorities",
                "move it to [application.tool.socar]",
            ));
        }
        let sweep = duration(&mut table, "sweep", SECOND / 10..=3600 * SECOND)?;
        let event_types = event_types(&mut table)?;
        let mut policy = self.clone().overlay(table)?;
        policy.sweep = sweep;
        policy.event_types = event_types;
        Ok(policy)
    }

    /// How many instances there may be, and for how long; `beside` is how many calls come over links with places of
    /// their own. Beyond those that are in a call there are ones that finish their last call, or start before another
    /// is dropped.
    pub fn instance_bounds(&self, link_permits: usize) -> InstanceBounds {
        let calls = self.concurrency + link_permits + self.delivery_concurrency;
        InstanceBounds {
            min: self.instances_min,
            max: self.instances_max.unwrap_or(calls + SPARE),
            idle: self.instances_idle,
        }
    }

    fn overlay(mut self, mut table: Table) -> Result<Self, ConfigError> {
        let table_ref = &mut table;
        set(
            &mut self.deadline,
            duration(table_ref, "deadline", SECOND / 1000..=600 * SECOND)?,
        );
        set(
            &mut self.memory,
            bytes(table_ref, "memory", 64 * KIB..=4096 * MIB)?,
        );
        let bodies = self.bodies;
        set(&mut self.body, body(table_ref, bodies)?);
        set(
            &mut self.concurrency,
            count(table_ref, "concurrency", 1..=10_000)?,
        );
        set(&mut self.queue, count(table_ref, "queue", 0..=100_000)?);
        set(
            &mut self.instances_idle,
            duration(table_ref, "instances_idle", SECOND / 10..=3600 * SECOND)?,
        );
        if let Some(max) = count(table_ref, "instances_max", 1..=20_000)? {
            self.instances_max = Some(max);
        }
        set(
            &mut self.instances_min,
            count(table_ref, "instances_min", 0..=10_000)?,
        );
        let names = &self.link.priority_names;
        set(
            &mut self.sweep_priority,
            names.priority(table_ref, "sweep_priority")?,
        );
        set(&mut self.events, events(table_ref)?);
        set(
            &mut self.delivery_attempts,
            count(table_ref, "delivery_attempts", 1..=1000)?,
        );
        set(
            &mut self.delivery_concurrency,
            count(table_ref, "delivery_concurrency", 1..=1000)?,
        );
        self.link.overlay(table_ref)?;
        table.finish()?;
        Ok(self)
    }
}

fn body(table: &mut Table, bodies: usize) -> Result<Option<usize>, ConfigError> {
    let Some(written) = table.take("body") else {
        return Ok(None);
    };
    let body = bytes_in(&written, KIB..=1024 * MIB)?;
    if body > bodies {
        return Err(written.error(
            format!(
                "no body so large would find room in the {}MiB of all",
                bodies / MIB
            ),
            "write less, or raise `application.tool.socar.listener.bodies`",
        ));
    }
    Ok(Some(body))
}

fn event_types(table: &mut Table) -> Result<Option<BTreeSet<String>>, ConfigError> {
    let Some(written) = table.take("event_types") else {
        return Ok(None);
    };
    if written.is_empty() {
        return Err(written.error(
            "no event would ever reach the component",
            "name the types it reacts to, or drop the key and its [[trigger.redis]]",
        ));
    }
    let types = written.array()?.into_iter().map(Value::string);
    let types = types.map(|found| found.map(|found| found.value));
    types.collect::<Result<_, _>>().map(Some)
}

fn events(table: &mut Table) -> Result<Option<EventDelivery>, ConfigError> {
    let Some(written) = table.string("events")? else {
        return Ok(None);
    };
    match written.value.as_str() {
        "shared" => Ok(Some(EventDelivery::Shared)),
        "each-host" => Ok(Some(EventDelivery::EachHost)),
        other => Err(written.error(
            "nobody shares events this way",
            suggest(other, ["shared", "each-host"], ""),
        )),
    }
}
