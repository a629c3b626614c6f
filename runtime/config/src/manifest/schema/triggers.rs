//! `[[trigger.http]]` and `[[trigger.redis]]`.

use super::unsupported::reject_unsupported;
use crate::document::{ConfigError, Located, Table, Value, suggest};

#[derive(Debug)]
pub(crate) struct HttpTriggerTable {
    /// `None` for `{ private = true }`.
    pub(crate) route: Option<Located<String>>,
    pub(crate) target: HttpTriggerTarget,
}

/// The source of the response.
#[derive(Debug)]
pub(crate) enum HttpTriggerTarget {
    Component(Located<String>),
    Static(Table),
}

#[derive(Debug)]
pub(crate) struct RedisTriggerTable {
    pub(crate) component: Located<String>,
    pub(crate) channel: Located<String>,
    pub(crate) address: Option<Located<String>>,
}

const TRIGGERS: [&str; 2] = ["http", "redis"];

/// `[application.trigger.<type>]`.
pub(super) fn read_defaults(
    application: &mut Table,
) -> Result<Option<Located<String>>, ConfigError> {
    let Some(mut defaults) = application.table("trigger")? else {
        return Ok(None);
    };
    if let Some(http) = defaults.table("http")? {
        http.finish()?;
    }
    let mut address = None;
    if let Some(mut redis) = defaults.table("redis")? {
        address = Some(redis.required_string("address", "add address = \"redis://…\"")?);
        redis.finish()?;
    }
    defaults.finish()?;
    Ok(address)
}

/// All triggers, by type.
pub(super) fn read_all(
    root: &mut Table,
) -> Result<(Vec<HttpTriggerTable>, Vec<RedisTriggerTable>), ConfigError> {
    let (mut http, mut redis) = (Vec::new(), Vec::new());
    let Some(triggers) = root.table("trigger")? else {
        return Err(root.missing("trigger", "add a [[trigger.http]] or a [[trigger.redis]]"));
    };
    for (kind, triggers) in triggers.into_named() {
        if !TRIGGERS.contains(&kind.as_str()) {
            let remedy = suggest(&kind, TRIGGERS, "");
            return Err(triggers
                .at
                .error_without_value(format!("socar has no `{kind}` trigger"), remedy));
        }
        for trigger in triggers.array()? {
            let trigger = trigger.table()?;
            match kind.as_str() {
                "http" => http.push(HttpTriggerTable::read(trigger)?),
                _ => redis.push(RedisTriggerTable::read(trigger)?),
            }
        }
    }
    Ok((http, redis))
}

// === impl HttpTriggerTable ===

impl HttpTriggerTable {
    fn read(mut table: Table) -> Result<Self, ConfigError> {
        read_common(&mut table)?;
        let route = table.take("route").ok_or_else(|| {
            table.missing("route", "add route = \"/…\", or route = { private = true }")
        })?;
        let route = read_route(route)?;
        if let Some(executor) = table.table("executor")? {
            check_executor(executor)?;
        }
        let component = read_component(&mut table)?;
        let response = table.table("static_response")?;
        let target = match (component, response) {
            (Some(component), None) => HttpTriggerTarget::Component(component),
            (None, Some(response)) => HttpTriggerTarget::Static(response),
            (None, None) => {
                return Err(
                    table.missing("component", "name the component, or give a static_response")
                );
            }
            (Some(component), Some(_)) => {
                return Err(component.error(
                    "the trigger has a static_response as well",
                    "remove one of the two",
                ));
            }
        };
        table.finish()?;
        Ok(Self { route, target })
    }
}

fn read_route(route: Value) -> Result<Option<Located<String>>, ConfigError> {
    if !route.is_table() {
        return route.string().map(Some);
    }
    let mut table = route.table()?;
    let private = table
        .boolean("private")?
        .ok_or_else(|| table.missing("private", "write route = { private = true }"))?;
    table.finish()?;
    match private.value {
        true => Ok(None),
        false => Err(private.error(
            "a route that is not private needs a path",
            "write route = \"/…\"",
        )),
    }
}

fn check_executor(mut executor: Table) -> Result<(), ConfigError> {
    let kind = executor.required_string("type", "write executor = { type = \"http\" }")?;
    match kind.value.as_str() {
        "http" | "spin" => executor.finish(),
        _ => Err(kind.error(
            "socar runs components of wasi:http only",
            "remove `executor`",
        )),
    }
}

// === impl RedisTriggerTable ===

impl RedisTriggerTable {
    fn read(mut table: Table) -> Result<Self, ConfigError> {
        read_common(&mut table)?;
        let component = read_component(&mut table)?
            .ok_or_else(|| table.missing("component", "name the component that it triggers"))?;
        let channel = table.required_string("channel", "name the channel that triggers it")?;
        let address = table.string("address")?;
        table.finish()?;
        Ok(Self {
            component,
            channel,
            address,
        })
    }
}

/// Takes the keys that all triggers share.
fn read_common(trigger: &mut Table) -> Result<(), ConfigError> {
    trigger.string("id")?;
    reject_unsupported(
        trigger,
        "components",
        "trigger middleware",
        "compose the component when building it",
    )?;
    reject_unsupported(
        trigger,
        "dependencies",
        "trigger middleware",
        "compose the component when building it",
    )
}

fn read_component(trigger: &mut Table) -> Result<Option<Located<String>>, ConfigError> {
    match trigger.take("component") {
        Some(inline) if inline.is_table() => Err(inline.at.error_without_value(
            "socar reads no component inside a trigger",
            "declare it as [component.<id>] and name it here",
        )),
        Some(name) => name.string().map(Some),
        None => Ok(None),
    }
}
