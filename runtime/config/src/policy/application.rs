//! `[application.tool.socar]`: the defaults of every component, and the policies that exist once.

use std::time::Duration;

use super::component::ComponentPolicy;
use super::identity::IdentityTable;
use super::link_policy::LinkPolicy;
use super::links::LinkTables;
use super::listener::ListenerLimits;
use super::value::{SECOND, duration, duration_in};
use super::variable_kinds::{self, VariableKinds};
use crate::document::{ConfigError, Table};

/// The policies of an application.
#[derive(Debug)]
pub(crate) struct ApplicationPolicy {
    /// The policy of a component without a table of its own.
    pub(crate) component: ComponentPolicy,
    /// `listener`: what one client may use.
    pub(crate) listener: ListenerLimits,
    /// `identity`: whose access tokens the platform accepts.
    pub(crate) identity: IdentityTable,
    /// `retention`: the age at which acknowledged events are removed; unlimited if absent.
    pub(crate) retention: Option<Duration>,
    /// `variables`: the forms of values.
    pub(crate) variables: VariableKinds,
    /// `redrive`: the age at which a dead letter is delivered again; `None` leaves it to the operator.
    pub(crate) redrive: Option<Duration>,
    /// `links`: the links from outside. The table is read when all components are known.
    links: Option<Table>,
}

/// Rare enough that an event which can never be handled costs nothing, and often enough that an event is
/// handled soon after a new version has removed the error.
const DEFAULT_REDRIVE: Duration = Duration::from_secs(3600);

/// A Julian year, as in `humantime`.
const YEAR: Duration = Duration::from_secs(31_557_600);

impl ApplicationPolicy {
    /// Reads the table; the defaults if it is absent.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(crate) fn read(table: Option<Table>) -> Result<Self, ConfigError> {
        let Some(mut table) = table else {
            return Ok(Self::default());
        };
        let links = table.table("links")?;
        let variables = variable_kinds::read(&mut table)?;
        let retention = duration(&mut table, "retention", SECOND..=100 * YEAR)?;
        let redrive = redrive(&mut table)?;
        let listener = match table.table("listener")? {
            Some(table) => ListenerLimits::read(table)?,
            None => ListenerLimits::default(),
        };
        let identity = match table.table("identity")? {
            Some(table) => IdentityTable::read(table)?,
            None => IdentityTable::default(),
        };
        Ok(Self {
            component: ComponentPolicy::read_defaults(table, &listener)?,
            listener,
            identity,
            retention,
            variables,
            redrive,
            links,
        })
    }

    /// Takes the `links` table out of a component's policy table; it is read when all components are known.
    ///
    /// # Errors
    /// When `links` is not a table.
    pub(crate) fn take_links(policy: &mut Option<Table>) -> Result<Option<Table>, ConfigError> {
        match policy {
            Some(table) => table.table("links"),
            None => Ok(None),
        }
    }

    /// The tables of all links. For each component, `components` has its id, its own link policy and its `links` table.
    pub(crate) fn link_tables(
        &mut self,
        components: Vec<(String, LinkPolicy, Option<Table>)>,
    ) -> LinkTables {
        LinkTables {
            base: self.component.link.clone(),
            application: self.links.take(),
            components,
        }
    }
}

impl Default for ApplicationPolicy {
    fn default() -> Self {
        Self {
            component: ComponentPolicy::default(),
            listener: ListenerLimits::default(),
            identity: IdentityTable::default(),
            retention: None,
            variables: VariableKinds::default(),
            redrive: Some(DEFAULT_REDRIVE),
            links: None,
        }
    }
}

/// Takes `redrive`: a duration, or `"never"`.
fn redrive(table: &mut Table) -> Result<Option<Duration>, ConfigError> {
    match table.take("redrive") {
        None => Ok(Some(DEFAULT_REDRIVE)),
        Some(written) if written.as_str() == Some("never") => Ok(None),
        Some(written) => duration_in(&written, SECOND..=100 * YEAR).map(Some),
    }
}
