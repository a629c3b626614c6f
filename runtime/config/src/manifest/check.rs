//! From what is written to what will run: do the names in a manifest fit together?
//!
//! Everything is checked before components are selected, so that a mistake in a component does not wait until
//! somebody starts that one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::files::FileMounts;
use super::hosts::{named_component, names_component};
use super::names::ComponentId;
use super::reach;
use super::routes::{RouteHandler, RoutePattern, RouteTable, StaticResponse};
use super::schema::{self, HttpTriggerTarget};
use super::variables::{Overrides, ResolvedVariables};
use super::{App, Component, ComponentBuild, RedisTrigger};
use crate::document::Table;
use crate::document::{ConfigError, Located, Location, suggest};
use crate::policy::{ComponentPolicy, LinkPolicies, ListenerLimits, links};

/// What the checks of single parts need to know about the whole.
struct Context<'a> {
    root: PathBuf,
    ids: Vec<ComponentId>,
    values: ResolvedVariables,
    policy: ComponentPolicy,
    selected: &'a [String],
}

/// Checks a manifest; `path` is its file.
pub(crate) fn check(
    mut manifest: schema::Manifest,
    path: &Path,
    overrides: &Overrides,
) -> Result<App, ConfigError> {
    let application_links = take_links(&mut manifest.policy)?;
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let retention = retention(&mut manifest)?;
    let (policy, listener) = policies(manifest.policy)?;
    let context = Context {
        root: file.parent().map(Path::to_owned).unwrap_or_default(),
        ids: manifest
            .components
            .iter()
            .map(|component| component.id.clone())
            .collect(),
        values: ResolvedVariables::resolve(
            &path.display().to_string(),
            &manifest.variables,
            overrides,
        )?,
        policy,
        selected: &overrides.components,
    };
    context.check_selection()?;
    let (redis_address, redis_triggers) =
        context.redis(manifest.redis_address, manifest.redis_triggers)?;
    for component in &manifest.components {
        context.check_chaining(component, &redis_triggers)?;
    }
    let routes = context.routes(manifest.http_triggers)?;
    let mut components = Vec::new();
    let mut guarded = Vec::new();
    for mut component in manifest.components {
        let table = take_links(&mut component.policy)?;
        let component = context.component(component)?;
        let guard = component.policy.link.clone();
        guarded.push((component.id.to_string(), guard, table));
        components.push(component);
    }
    let links = LinkPolicies::read(links::LinkTables {
        base: context.policy.link.clone(),
        application: application_links,
        components: guarded,
    })?;

    let keep = |id: &ComponentId| context.keeps(id);
    Ok(App {
        listener,
        manifest: file,
        name: manifest.name,
        retention,
        version: manifest.version,
        description: manifest.description,
        components: components
            .into_iter()
            .filter(|component| keep(&component.id))
            .collect(),
        routes: routes.of_components(keep),
        redis_triggers: redis_triggers
            .into_iter()
            .filter(|trigger| keep(&trigger.component))
            .collect(),
        redis_address,
        links,
        root: context.root,
    })
}

/// What `[application.tool.socar]` says.
fn policies(table: Option<Table>) -> Result<(ComponentPolicy, ListenerLimits), ConfigError> {
    let Some(mut table) = table else {
        return Ok(Default::default());
    };
    let listener = match table.table("listener")? {
        Some(table) => ListenerLimits::read(table)?,
        None => ListenerLimits::default(),
    };
    Ok((ComponentPolicy::read_defaults(table, &listener)?, listener))
}

/// The tables of links, which can only be read once all components are known.
fn take_links(policy: &mut Option<Table>) -> Result<Option<Table>, ConfigError> {
    match policy {
        Some(table) => table.table("links"),
        None => Ok(None),
    }
}

/// `[application.tool.socar] retention`.
fn retention(manifest: &mut schema::Manifest) -> Result<Option<Duration>, ConfigError> {
    let Some(policy) = &mut manifest.policy else {
        return Ok(None);
    };
    let Some(written) = policy.string("retention")? else {
        return Ok(None);
    };
    match whole_time(&written.value) {
        Some(retention) => Ok(Some(retention)),
        None => Err(written.error(
            "not a whole number with a unit",
            "write something like \"7d\" (units: d, h, m, s), or leave it out to keep all events",
        )),
    }
}

impl Context<'_> {
    fn keeps(&self, id: &ComponentId) -> bool {
        self.selected.is_empty() || self.selected.iter().any(|selected| id == selected.as_str())
    }

    fn check_selection(&self) -> Result<(), ConfigError> {
        let unknown = self
            .selected
            .iter()
            .find(|name| !self.ids.iter().any(|id| id == name.as_str()));
        match unknown {
            None => Ok(()),
            Some(name) => Err(Location::of_source("--component-id", "").error(
                format_args!("{name:?}"),
                "there is no such component",
                suggest(name, self.names(), "declare it as a [component.<id>]"),
            )),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(ComponentId::as_str)
    }

    /// The component that a trigger names.
    fn known(&self, name: &Located<String>) -> Result<ComponentId, ConfigError> {
        let known = self.ids.iter().find(|id| **id == name.value.as_str());
        known.cloned().ok_or_else(|| {
            name.error(
                "there is no such component",
                suggest(
                    &name.value,
                    self.names(),
                    "declare it as a [component.<id>]",
                ),
            )
        })
    }

    /// The platform has one event log, so all Redis triggers must mean the same server.
    fn redis(
        &self,
        application: Option<Located<String>>,
        triggers: Vec<schema::RedisTriggerTable>,
    ) -> Result<(Option<String>, Vec<RedisTrigger>), ConfigError> {
        let mut address = application
            .map(|address| self.redis_address(&address))
            .transpose()?;
        let mut known: Vec<RedisTrigger> = Vec::new();
        for trigger in triggers {
            let component = self.known(&trigger.component)?;
            let channel = self.values.fill(&trigger.channel)?.text;
            if channel.is_empty() {
                return Err(trigger.channel.error(
                    "a channel has a name",
                    "name the channel that wakes the component",
                ));
            }
            if let Some(own) = &trigger.address {
                let resolved = self.redis_address(own)?;
                if address.get_or_insert_with(|| resolved.clone()) != &resolved {
                    return Err(own.error(
                        "socar has one event log, and another address for it is set elsewhere",
                        "remove it; [application.trigger.redis] address holds for all triggers",
                    ));
                }
            }
            if address.is_none() {
                return Err(trigger.channel.error(
                    "there is no address to listen at",
                    "add address = \"redis://…\" to [application.trigger.redis]",
                ));
            }
            let trigger_at = trigger.channel;
            let trigger = RedisTrigger { component, channel };
            if known.contains(&trigger) {
                return Err(trigger_at.error(
                    format!(
                        "this channel already wakes component `{}`",
                        trigger.component
                    ),
                    "remove one of the two triggers",
                ));
            }
            known.push(trigger);
        }
        Ok((address, known))
    }

    fn redis_address(&self, written: &Located<String>) -> Result<String, ConfigError> {
        let address = self.values.fill(written)?;
        let host = ["redis://", "rediss://"]
            .iter()
            .find_map(|scheme| address.text.strip_prefix(scheme));
        match host {
            Some(host) if !host.is_empty() => Ok(address.text),
            _ => {
                let problem = match address.templated {
                    true => format!(
                        "it resolves to {}, which is no Redis address",
                        address.shown()
                    ),
                    false => "not a Redis address".to_owned(),
                };
                Err(written.error(problem, "write redis://host:port"))
            }
        }
    }

    /// What stock Spin would refuse to start, we refuse with the way out.
    fn check_chaining(
        &self,
        component: &schema::ComponentTable,
        triggers: &[RedisTrigger],
    ) -> Result<(), ConfigError> {
        let woken = triggers
            .iter()
            .any(|trigger| trigger.component == component.id);
        let chained = component
            .allowed_outbound_hosts
            .iter()
            .filter(|host| names_component(&host.value));
        for host in chained {
            let name = named_component(&host.value);
            if woken {
                let variable = name.as_deref().unwrap_or("other").replace('-', "_");
                return Err(host.error(
                    "stock Spin does not start a Redis-triggered component that names a component's host",
                    format!(
                        "list \"{{{{ {variable}_url }}}}\" and give that variable the default \"http://{}.spin.internal\"",
                        name.as_deref().unwrap_or("<id>"),
                    ),
                ));
            }
            let dropped = |id: &ComponentId| {
                !self.keeps(id) && name.as_deref().is_none_or(|name| *id == name)
            };
            if let (true, Some(dropped)) = (
                self.keeps(&component.id),
                self.ids.iter().find(|id| dropped(id)),
            ) {
                return Err(host.error(
                    format!(
                        "component `{}` needs component `{dropped}`, which is not selected",
                        component.id
                    ),
                    format!("add -c {dropped}, or list a variable with the address where it runs"),
                ));
            }
        }
        Ok(())
    }

    fn routes(&self, triggers: Vec<schema::HttpTriggerTable>) -> Result<RouteTable, ConfigError> {
        let mut routes = Vec::new();
        for trigger in triggers {
            let handler = match trigger.target {
                HttpTriggerTarget::Component(name) => RouteHandler::Component(self.known(&name)?),
                HttpTriggerTarget::Static(response) => {
                    RouteHandler::Static(static_response(response)?)
                }
            };
            if let Some(route) = trigger.route {
                let pattern = RoutePattern::parse(&route)?;
                routes.push((route, pattern, handler));
            }
        }
        RouteTable::new(routes)
    }

    fn component(&self, component: schema::ComponentTable) -> Result<Component, ConfigError> {
        let fill = |(name, value): &(String, Located<String>)| {
            Ok((name.clone(), self.values.fill(value)?.text))
        };
        let allowed_outbound_hosts = reach::allowed(&component, &self.values, &self.ids)?;
        Ok(Component {
            description: component.description,
            source: self.root.join(&component.source.value),
            environment: plain(component.environment),
            variables: component
                .variables
                .iter()
                .map(fill)
                .collect::<Result<_, ConfigError>>()?,
            files: FileMounts::new(&self.root, component.files, &component.exclude_files)?,
            key_value_stores: labels(component.key_value_stores),
            sqlite_databases: labels(component.sqlite_databases),
            allowed_outbound_hosts,
            build: component.build.map(|build| self.build(build)).transpose()?,
            policy: match component.policy {
                Some(table) => self.policy.read(table)?,
                None => self.policy.clone(),
            },
            source_at: component.source,
            at: component.at,
            id: component.id,
        })
    }

    fn build(&self, build: schema::BuildTable) -> Result<ComponentBuild, ConfigError> {
        let workdir = match &build.workdir {
            Some(workdir) if Path::new(&workdir.value).has_root() => {
                return Err(
                    workdir.error("not a relative path", "write it relative to the manifest")
                );
            }
            Some(workdir) => self.root.join(&workdir.value),
            None => self.root.clone(),
        };
        Ok(ComponentBuild {
            at: build.at,
            commands: build
                .commands
                .into_iter()
                .map(|command| command.value)
                .collect(),
            workdir,
        })
    }
}

fn static_response(mut table: Table) -> Result<StaticResponse, ConfigError> {
    let status = match table.integer("status_code")? {
        None => StatusCode::OK,
        Some(code) => u16::try_from(code.value)
            .ok()
            .and_then(|number| StatusCode::from_u16(number).ok())
            .ok_or_else(|| code.error("not an HTTP status", "write a number from 100 to 999"))?,
    };
    let mut headers = HeaderMap::new();
    for (name, value) in table.named_strings("headers")? {
        let pair = HeaderName::try_from(&name)
            .ok()
            .zip(HeaderValue::try_from(&value.value).ok());
        let (name, text) =
            pair.ok_or_else(|| value.error("not an HTTP header", "correct its name or value"))?;
        headers.append(name, text);
    }
    let body = table
        .string("body")?
        .map(|body| Bytes::from(body.value))
        .unwrap_or_default();
    table.finish()?;
    Ok(StaticResponse {
        status,
        headers,
        body,
    })
}

fn plain(entries: Vec<(String, Located<String>)>) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(name, value)| (name, value.value))
        .collect()
}

fn labels(labels: Vec<Located<String>>) -> BTreeSet<String> {
    labels.into_iter().map(|label| label.value).collect()
}

/// A whole number of days, hours, minutes or seconds, as in `7d`.
fn whole_time(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "d" => 86_400,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    let seconds = number.parse::<u32>().ok().filter(|number| *number > 0)?;
    Some(Duration::from_secs(u64::from(seconds) * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_number_with_a_unit() {
        let keep = |text| whole_time(text).map(|keep| keep.as_secs());
        assert_eq!(keep("7d"), Some(7 * 86_400));
        assert_eq!(keep("36h"), Some(36 * 3600));
        assert_eq!(keep("1s"), Some(1));
        for wrong in ["", "d", "0d", "7", "7w", "-1d", "7 d", "1.5h", "일"] {
            assert_eq!(keep(wrong), None, "{wrong}");
        }
    }
}
