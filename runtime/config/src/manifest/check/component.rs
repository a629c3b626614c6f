//! One component: its templates are rendered, its paths are absolute, its policy is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::outbound_hosts;
use crate::document::{ConfigError, Located};
use crate::manifest::files::FileMounts;
use crate::manifest::names::ComponentId;
use crate::manifest::schema::{BuildTable, ComponentTable};
use crate::manifest::variables::ResolvedVariables;
use crate::manifest::{Component, ComponentBuild};
use crate::policy::{ComponentPolicy, RedisGrants};

/// The parts of the application that a component depends on.
pub(super) struct ComponentContext<'a> {
    /// The directory of the manifest.
    pub(super) root: &'a Path,
    pub(super) ids: &'a [ComponentId],
    pub(super) variables: &'a ResolvedVariables,
    /// The policy of `[application.tool.socar]`.
    pub(super) policy: &'a ComponentPolicy,
}

impl ComponentContext<'_> {
    /// # Errors
    /// When a template, a host, a path or a policy is invalid.
    pub(super) fn check(&self, mut table: ComponentTable) -> Result<Component, ConfigError> {
        let allowed_outbound_hosts = outbound_hosts::resolve(&table, self.variables, self.ids)?;
        let redis = RedisGrants::take(table.id.as_str(), &mut table.policy)?;
        let render = |(name, value): &(String, Located<String>)| {
            Ok((name.clone(), self.variables.render(value)?.text))
        };
        Ok(Component {
            source: self.root.join(&table.source.value),
            environment: values(table.environment),
            variables: table
                .variables
                .iter()
                .map(render)
                .collect::<Result<_, ConfigError>>()?,
            files: FileMounts::new(self.root, table.files, &table.exclude_files)?,
            key_value_stores: labels(table.key_value_stores),
            sqlite_databases: labels(table.sqlite_databases),
            allowed_outbound_hosts,
            redis,
            dependencies: Vec::new(),
            build: table.build.map(|build| self.build(build)).transpose()?,
            policy: match table.policy {
                Some(policy) => self.policy.read(policy)?,
                None => self.policy.clone(),
            },
            source_at: table.source,
            at: table.at,
            id: table.id,
        })
    }

    fn build(&self, table: BuildTable) -> Result<ComponentBuild, ConfigError> {
        let workdir = match &table.workdir {
            Some(workdir) if Path::new(&workdir.value).has_root() => {
                return Err(
                    workdir.error("not a relative path", "write it relative to the manifest")
                );
            }
            Some(workdir) => self.root.join(&workdir.value),
            None => self.root.to_owned(),
        };
        let commands = table.commands.into_iter().map(|command| command.value);
        Ok(ComponentBuild {
            at: table.at,
            commands: commands.collect(),
            workdir,
        })
    }
}

fn values(entries: Vec<(String, Located<String>)>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(name, value)| (name, value.value))
        .collect()
}

fn labels(labels: Vec<Located<String>>) -> BTreeSet<String> {
    labels.into_iter().map(|label| label.value).collect()
}
