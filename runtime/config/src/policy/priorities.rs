//! `priorities` names the levels of priority; `priority` and `sweep_priority` refer to them.
//!
//! The host only knows an order of levels ([`Priority`]). Their names belong to the application: they appear in its
//! manifest and in the labels of metrics.

use std::sync::Arc;

use http::Method;
use resilience::Priority;

use crate::document::{ConfigError, suggest};
use crate::document::{Table, Value};

/// `priorities`: the names of the levels of priority, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriorityNames(Arc<[String]>);

/// `priority`: the priority of a call, by its HTTP method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MethodPriorities {
    other: Priority,
    methods: Vec<(Method, Priority)>,
}

/// The names of an application that has none of its own.
const DEFAULT_NAMES: [&str; 3] = ["low", "normal", "high"];

// === impl PriorityNames ===

impl Default for PriorityNames {
    fn default() -> Self {
        Self(DEFAULT_NAMES.map(str::to_owned).into())
    }
}

impl PriorityNames {
    /// The names, the lowest level first: at least one, at most [`Priority::MAX_LEVELS`].
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The highest level.
    pub fn highest(&self) -> Priority {
        let level = self.0.len().saturating_sub(1);
        Priority::from_level(level).unwrap_or_default()
    }

    /// Reads the names; the default ones if the key is absent.
    pub(super) fn read(table: &mut Table) -> Result<Self, ConfigError> {
        let Some(written) = table.take("priorities") else {
            return Ok(Self::default());
        };
        let out_of_bounds = written.error(
            "out of bounds",
            format!(
                "name 1 to {} priorities, the lowest first",
                Priority::MAX_LEVELS
            ),
        );
        let mut names: Vec<String> = Vec::new();
        for name in written.array()? {
            let name = name.string()?;
            if name.value.is_empty() || names.contains(&name.value) {
                return Err(name.error("not a name of its own", "give each priority another name"));
            }
            names.push(name.value);
        }
        match (1..=Priority::MAX_LEVELS).contains(&names.len()) {
            true => Ok(Self(names.into())),
            false => Err(out_of_bounds),
        }
    }

    /// Reads a key whose value is one of the names.
    pub(super) fn priority(
        &self,
        table: &mut Table,
        key: &'static str,
    ) -> Result<Option<Priority>, ConfigError> {
        table
            .take(key)
            .map(|written| self.find(written))
            .transpose()
    }

    fn find(&self, written: Value) -> Result<Priority, ConfigError> {
        let written = written.string()?;
        let level = self.iter().position(|name| name == written.value);
        level.and_then(Priority::from_level).ok_or_else(|| {
            written.error(
                "there is no such priority",
                suggest(&written.value, self.iter(), ""),
            )
        })
    }
}

// === impl MethodPriorities ===

impl MethodPriorities {
    /// The priority of a call with this method; the lowest one where the manifest gives none.
    pub fn of(&self, method: &Method) -> Priority {
        let named = self.methods.iter().find(|(name, _)| name == method);
        named.map_or(self.other, |(_, priority)| *priority)
    }

    /// The priority of a call of a function, which has no HTTP method.
    pub fn of_functions(&self) -> Priority {
        self.other
    }

    /// Reads one name, or a table with a name for each method.
    pub(super) fn read(written: Value, names: &PriorityNames) -> Result<Self, ConfigError> {
        if !written.is_table() {
            return Ok(Self {
                other: names.find(written)?,
                methods: Vec::new(),
            });
        }
        let mut priorities = Self::default();
        for (name, value) in written.table()?.into_named() {
            let method = match Method::from_bytes(name.as_bytes()) {
                Ok(method) if name.chars().all(|letter| letter.is_ascii_uppercase()) => method,
                _ => return Err(value.error("not an HTTP method", "write something like POST")),
            };
            priorities.methods.push((method, names.find(value)?));
        }
        Ok(priorities)
    }
}
