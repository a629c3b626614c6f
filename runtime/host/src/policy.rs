//! How long, how much, how many: the `tool.socar` tables of a manifest, which stock Spin ignores.
//!
//! `[application.tool.socar]` holds for every component, `[component.<id>.tool.socar]` for one. A key is read in
//! [`Policy::overlay`] and nowhere else, so a new one is a field, its default and one line there. The listener, of which
//! there is one, has a table of its own ([`Listener`]).

mod listener;

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::instance::population::Bounds;
use crate::manifest::document::{Table, Value};
use crate::manifest::{ConfigError, known_names};

pub use listener::Listener;

/// What guards the calls of one component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `deadline`: how long one invocation may take, by the clock on the wall.
    pub deadline: Duration,
    /// `memory`: bytes that one linear memory of the component may grow to.
    pub memory: usize,
    /// `body`: bytes that the body of a request from outside may have.
    pub body: usize,
    /// `concurrency`: calls of the component that may run at the same time.
    pub concurrency: usize,
    /// `queue`: callers that may wait for one of those places; the next one is refused.
    pub queue: usize,
    /// `instances_min`: instances that are kept once they are there, however idle.
    pub instances_min: usize,
    /// `instances_max`: instances that may exist at the same time; enough for all calls, if it is not said.
    pub instances_max: Option<usize>,
    /// `instances_idle`: how long an instance waits for its next call before it goes.
    pub instances_idle: Duration,
    /// `sweep`: how often the host calls `POST /internal/sweep`. A component without it has nothing to sweep.
    pub sweep: Option<Duration>,
    /// `events`: who shares the events that wake the component.
    pub events: Events,
    /// `delivery_attempts`: how often an event is tried before it is parked among the dead letters.
    pub delivery_attempts: u32,
    /// `delivery_concurrency`: events of different subjects that are delivered at the same time.
    pub delivery_concurrency: usize,
}

/// Who shares the events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
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

impl Default for Policy {
    fn default() -> Self {
        Self {
            deadline: 5 * SECOND,
            memory: 64 * MIB,
            body: MIB,
            concurrency: 64,
            queue: 256,
            instances_min: 0,
            instances_max: None,
            instances_idle: 10 * SECOND,
            sweep: None,
            events: Events::Shared,
            delivery_attempts: 10,
            delivery_concurrency: 8,
        }
    }
}

impl Policy {
    /// Reads `[application.tool.socar]`.
    ///
    /// # Errors
    /// When a key is unknown or its value makes no sense.
    pub(crate) fn read_defaults(mut table: Table) -> Result<Self, ConfigError> {
        if let Some(sweep) = table.take("sweep") {
            return Err(sweep.error(
                "only a component can be swept",
                "move it to the [component.<id>.tool.socar] of each component that answers POST /internal/sweep",
            ));
        }
        Self::default().overlay(table)
    }

    /// Reads `[component.<id>.tool.socar]`, with `self` for what it does not say.
    ///
    /// # Errors
    /// When a key is unknown or its value makes no sense.
    pub(crate) fn read(&self, mut table: Table) -> Result<Self, ConfigError> {
        let sweep = duration(&mut table, "sweep", SECOND / 10..=3600 * SECOND)?;
        let mut policy = self.clone().overlay(table)?;
        policy.sweep = sweep;
        Ok(policy)
    }

    /// How many instances there may be, and for how long. Beyond those that are in a call there are ones that finish
    /// their last call, or start before another is dropped.
    pub fn bounds(&self) -> Bounds {
        let calls = self.concurrency + self.delivery_concurrency;
        Bounds {
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
        set(&mut self.body, bytes(table_ref, "body", KIB..=1024 * MIB)?);
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
        set(&mut self.events, events(table_ref)?);
        set(
            &mut self.delivery_attempts,
            count(table_ref, "delivery_attempts", 1..=1000)?,
        );
        set(
            &mut self.delivery_concurrency,
            count(table_ref, "delivery_concurrency", 1..=1000)?,
        );
        table.finish()?;
        Ok(self)
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn events(table: &mut Table) -> Result<Option<Events>, ConfigError> {
    let Some(written) = table.string("events")? else {
        return Ok(None);
    };
    match written.value.as_str() {
        "shared" => Ok(Some(Events::Shared)),
        "each-host" => Ok(Some(Events::EachHost)),
        other => Err(written.error(
            "nobody shares events this way",
            known_names(other, ["shared", "each-host"], ""),
        )),
    }
}

/// A whole number within bounds.
fn count<T>(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<i64>,
) -> Result<Option<T>, ConfigError>
where
    T: TryFrom<i64>,
{
    let Some(written) = table.integer(key)? else {
        return Ok(None);
    };
    let number = bounds
        .contains(&written.value)
        .then(|| T::try_from(written.value).ok())
        .flatten();
    number.map(Some).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!("write a number from {} to {}", bounds.start(), bounds.end()),
        )
    })
}

/// A number with a unit of time, such as `"250ms"`.
fn duration(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<Duration>,
) -> Result<Option<Duration>, ConfigError> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];
    let Some(written) = table.take(key) else {
        return Ok(None);
    };
    let value = with_unit(&written, &UNITS, "5s")?.map(Duration::from_millis);
    within(value, &bounds).map(Some).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!(
                "write something from {:?} to {:?}",
                bounds.start(),
                bounds.end()
            ),
        )
    })
}

/// A number with a unit of memory, such as `"64MiB"`.
fn bytes(
    table: &mut Table,
    key: &'static str,
    bounds: RangeInclusive<usize>,
) -> Result<Option<usize>, ConfigError> {
    const UNITS: [(&str, u64); 6] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let Some(written) = table.take(key) else {
        return Ok(None);
    };
    let value = with_unit(&written, &UNITS, "64MiB")?.and_then(|value| usize::try_from(value).ok());
    within(value, &bounds).map(Some).ok_or_else(|| {
        written.error(
            "out of bounds",
            format!(
                "write something from {}KiB to {}MiB",
                bounds.start() / KIB,
                bounds.end() / MIB
            ),
        )
    })
}

/// The value in the smallest unit, or nothing if it is too large for a number.
fn with_unit(
    written: &Value,
    units: &[(&str, u64)],
    example: &str,
) -> Result<Option<u64>, ConfigError> {
    let text = written.as_str().unwrap_or_default().trim();
    let digits = text.len()
        - text
            .trim_start_matches(|letter: char| letter.is_ascii_digit())
            .len();
    let (number, unit) = text.split_at(digits);
    let known = units.iter().find(|(name, _)| *name == unit.trim());
    match (number.is_empty(), known) {
        (false, Some((_, factor))) => Ok(number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*factor))),
        _ => {
            let units: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
            Err(written.error(
                "not a whole number with a unit",
                format!(
                    "write something like {example:?} (units: {})",
                    units.join(", ")
                ),
            ))
        }
    }
}

fn within<T: PartialOrd>(value: Option<T>, bounds: &RangeInclusive<T>) -> Option<T> {
    value.filter(|value| bounds.contains(value))
}
