//! The policy of a component: its deadline, limits, instances and deliveries.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use resilience::Priority;

use super::changes::{self, ChangesPolicy};
use super::link_policy::LinkPolicy;
use super::listener::ListenerLimits;
use super::priorities::PriorityNames;
use super::value::{KIB, MIB, SECOND, bytes, bytes_in, count, duration, set};
use crate::document::{ConfigError, Located, Table, Value, suggest};

/// The bounds of the size limit of one linear memory, in bytes.
pub const MEMORY_BOUNDS: RangeInclusive<usize> = 64 * KIB..=4096 * MIB;

/// The policy of one component. The name of each field is that of its key.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentPolicy {
    /// The wall-clock time of one call, from 1 ms to 10 minutes.
    pub deadline: Duration,
    /// The size limit of one linear memory, in bytes.
    pub memory: usize,
    /// The size limit of a request body from outside, in bytes.
    pub body: usize,
    /// The size limit of all request bodies together, in bytes: `bodies` of the listener.
    bodies: usize,
    /// The maximum number of concurrent calls, besides those over links with permits of their own.
    pub concurrency: usize,
    /// The maximum number of calls that wait for a permit.
    pub queue: usize,
    /// The number of instances that exist before the first call and are never evicted.
    pub instances_min: usize,
    /// The maximum number of instances; enough for all concurrent calls if absent.
    pub instances_max: Option<usize>,
    /// The time after which an idle instance is evicted.
    pub instances_idle: Duration,
    /// The period at which the host calls `POST /internal/sweep`; never if absent.
    pub sweep: Option<Duration>,
    /// The priority of the sweep and of every call that it makes.
    pub sweep_priority: Priority,
    /// How the hosts share the events of the component.
    pub events: EventDelivery,
    /// The CloudEvents `type`s that are delivered to the component; every type if absent.
    pub event_types: Option<BTreeSet<String>>,
    /// Where the host sends the changes of the component; nowhere if absent.
    pub changes: Option<ChangesPolicy>,
    /// The components that satisfy imports which several components export, by the name of the interface.
    pub imports: BTreeMap<String, Located<String>>,
    /// The number of deliveries after which an event becomes a dead letter.
    pub delivery_attempts: u32,
    /// The maximum number of events that are delivered at the same time. Events of one subject are delivered in order.
    pub delivery_concurrency: usize,
    /// Whether clients may call the component without an access token, on a platform with identity.
    pub public: bool,
    /// Whether the host links callers to the component, if it is a dependency. Calls of another one are unavailable.
    pub linked: bool,
    /// The policy of the links to the component.
    pub link: LinkPolicy,
}

/// The number of instances of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceBounds {
    /// Instances that are never evicted.
    pub min: usize,
    /// The maximum number of instances.
    pub max: usize,
    /// The time after which an idle instance beyond `min` is evicted.
    pub idle: Duration,
}

/// How the hosts share the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventDelivery {
    /// `"shared"`: each event is delivered to one of the hosts.
    Shared,
    /// `"each-host"`: each event is delivered to every host, from the beginning of the log. For local read models.
    EachHost,
}

/// Instances beyond one for each concurrent call: some finish their last call, and some start before another is evicted.
const SPARE_INSTANCES: usize = 8;

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
            sweep_priority: PriorityNames::default().highest(),
            events: EventDelivery::Shared,
            event_types: None,
            changes: None,
            imports: BTreeMap::new(),
            delivery_attempts: 10,
            delivery_concurrency: 8,
            public: false,
            linked: true,
            link: LinkPolicy::default(),
        }
    }
}

impl ComponentPolicy {
    /// Reads the keys of `[application.tool.socar]` that are defaults of every component.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(super) fn read_defaults(
        mut table: Table,
        listener: &ListenerLimits,
    ) -> Result<Self, ConfigError> {
        if let Some(sweep) = table.take("sweep") {
            return Err(sweep.error(
                "only a component has a sweep",
                "move it to the [component.<id>.tool.socar] of each component that answers POST /internal/sweep",
            ));
        }
        if let Some(public) = table.take("public") {
            return Err(public.error(
                "only a component can be public",
                "move it to the [component.<id>.tool.socar] of each component that needs no access token",
            ));
        }
        for key in ["changes", "public_changes"] {
            if let Some(changes) = table.take(key) {
                return Err(changes.error(
                    "only a component has changes",
                    "move it to the [component.<id>.tool.socar] of the component whose events are to be sent",
                ));
            }
        }
        if let Some(imports) = table.take("imports") {
            return Err(imports.error(
                "only a component has imports",
                "move it to the [component.<id>.tool.socar] of the component that imports the interface",
            ));
        }
        let link = LinkPolicy {
            priority_names: PriorityNames::read(&mut table)?,
            ..LinkPolicy::default()
        };
        let defaults = Self {
            bodies: listener.bodies,
            sweep_priority: link.priority_names.highest(),
            link,
            ..Self::default()
        };
        defaults.overlay(table)
    }

    /// Reads `[component.<id>.tool.socar]`; missing keys are inherited from `self`.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(crate) fn read(&self, mut table: Table) -> Result<Self, ConfigError> {
        if let Some(names) = table.take("priorities") {
            return Err(names.error(
                "only the application names its priorities",
                "move it to [application.tool.socar]",
            ));
        }
        let sweep = duration(&mut table, "sweep", SECOND / 10..=3600 * SECOND)?;
        let event_types = event_types(&mut table)?;
        let public = table.boolean("public")?;
        let linked = table.boolean("linked")?;
        let changes = table.take("changes").map(ChangesPolicy::read).transpose()?;
        let public_changes = changes::public_events(&mut table)?;
        if changes.is_none() && !public_changes.is_empty() {
            return Err(table.at().child("public_changes").error_without_value(
                "the component sends no changes",
                "write changes = \"/…\" beside it, or remove it",
            ));
        }
        let changes = changes.map(|changes| ChangesPolicy {
            public: public_changes,
            ..changes
        });
        let imports = match table.take("imports") {
            Some(imports) => imports.table()?.into_named(),
            None => Vec::new(),
        };
        let imports = imports
            .into_iter()
            .map(|(name, id)| Ok((name, id.string()?)));
        let imports = imports.collect::<Result<_, ConfigError>>()?;
        let mut policy = self.clone().overlay(table)?;
        policy.imports = imports;
        policy.sweep = sweep;
        policy.event_types = event_types;
        policy.public = public.is_some_and(|public| public.value);
        policy.linked = linked.is_none_or(|linked| linked.value);
        policy.changes = changes;
        Ok(policy)
    }

    /// The number of instances; `link_permits` is the number of concurrent calls over links with permits of their own.
    pub fn instance_bounds(&self, link_permits: usize) -> InstanceBounds {
        let calls = self.concurrency + link_permits + self.delivery_concurrency;
        InstanceBounds {
            min: self.instances_min,
            max: self.instances_max.unwrap_or(calls + SPARE_INSTANCES),
            idle: self.instances_idle,
        }
    }

    fn overlay(mut self, mut table: Table) -> Result<Self, ConfigError> {
        let table_ref = &mut table;
        set(
            &mut self.deadline,
            duration(table_ref, "deadline", SECOND / 1000..=600 * SECOND)?,
        );
        set(&mut self.memory, bytes(table_ref, "memory", MEMORY_BOUNDS)?);
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
                "larger than the limit of all request bodies together ({}MiB)",
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
            "no event is delivered to the component",
            "list the event types that it consumes, or remove the key and its [[trigger.redis]]",
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
            "there is no such delivery",
            suggest(other, ["shared", "each-host"], ""),
        )),
    }
}
