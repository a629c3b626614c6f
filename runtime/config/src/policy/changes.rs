//! `changes`: the path at which the host sends the changes of a component as they happen.

use std::collections::BTreeMap;

use super::value::count;
use crate::document::{ConfigError, Located, Table, Value};

/// Where and to how many listeners the host sends the events that a component has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesPolicy {
    /// The path of the stream.
    pub path: Located<String>,
    /// The maximum number of listeners; [`ChangesPolicy::DEFAULT_LISTENERS`] if absent.
    pub listeners: Option<Located<usize>>,
    /// The number of changes that a listener may lag behind before its stream ends.
    pub backlog: usize,
    /// What every user may see: the value of `public_changes`.
    pub public: PublicEvents,
}

/// The types of events that every user may see, each with the members of its data that they may see.
pub type PublicEvents = BTreeMap<String, Vec<String>>;

const REMEDY: &str = "write a path, or { path = \"/…\", listeners = 1000 }";

impl ChangesPolicy {
    /// Half of the connections that a listener accepts without a policy of its own.
    pub const DEFAULT_LISTENERS: usize = 512;

    const DEFAULT_BACKLOG: usize = 1024;

    /// Reads the value of `changes`.
    ///
    /// # Errors
    /// When it is neither a path nor a table with one, or when a number is out of bounds.
    pub(super) fn read(written: Value) -> Result<Self, ConfigError> {
        if !written.is_table() {
            return match written.as_str() {
                Some(_) => Ok(Self {
                    path: written.string()?,
                    listeners: None,
                    backlog: Self::DEFAULT_BACKLOG,
                    public: PublicEvents::new(),
                }),
                None => Err(written.error("not a path", REMEDY)),
            };
        }
        let mut table = written.table()?;
        let at = table.at().clone();
        let path = table.string("path")?;
        let at_listeners = at.child("listeners");
        let listeners: Option<usize> = count(&mut table, "listeners", 1..=100_000)?;
        let backlog = count(&mut table, "backlog", 1..=100_000)?;
        table.finish()?;
        let Some(path) = path else {
            return Err(at.error_without_value("there is no path", REMEDY));
        };
        Ok(Self {
            path,
            listeners: listeners.map(|value| Located {
                at: at_listeners,
                value,
            }),
            backlog: backlog.unwrap_or(Self::DEFAULT_BACKLOG),
            public: PublicEvents::new(),
        })
    }
}

/// Reads `public_changes`.
///
/// # Errors
/// When a type of event has no list of names.
pub(super) fn public_events(table: &mut Table) -> Result<PublicEvents, ConfigError> {
    let mut public = PublicEvents::new();
    for (event_type, members) in table.named("public_changes")? {
        let members = members.array()?.into_iter().map(Value::string);
        let members: Result<Vec<_>, _> = members.map(|it| it.map(|it| it.value)).collect();
        public.insert(event_type, members?);
    }
    Ok(public)
}
