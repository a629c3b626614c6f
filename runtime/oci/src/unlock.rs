//! From a locked application back to a manifest, whose paths lead to the contents in the cache.
//!
//! The manifest is then read as every other one, so that a pulled application is checked as strictly as a local one and
//! is the same application. Its build commands and the tables of other programs are no part of an artifact.

mod component;
mod policies;

use anyhow::{bail, ensure};
use serde_json::{Map, Value};
use toml::Table;

use crate::locked_app::{LockedApp, SERVICE_CHAINING};
use component::DependencySources;

/// The requirements that this host meets.
const SUPPORTED: [&str; 1] = [SERVICE_CHAINING];

/// The features of locked applications that this host knows.
const UNDERSTOOD: [&str; 2] = ["host_requirements", "component_host_requirements"];

/// The text of the manifest of a locked application; `policies` is the text of its policies.
///
/// # Errors
/// When the application needs something that this host does not have, or is malformed.
pub fn manifest(app: &LockedApp, policies: Option<&str>) -> anyhow::Result<String> {
    check_requirements(app)?;
    let mut root = Table::new();
    root.insert("spin_manifest_version".to_owned(), 2.into());
    root.insert("application".to_owned(), application(app).into());
    let variables = app.variables.iter().map(|(name, declared)| {
        let mut table = Table::new();
        insert_text(&mut table, "description", declared.description.as_deref());
        match &declared.default {
            Some(default) => table.insert("default".to_owned(), default.as_str().into()),
            None => table.insert("required".to_owned(), true.into()),
        };
        if declared.secret {
            table.insert("secret".to_owned(), true.into());
        }
        (name.clone(), table.into())
    });
    let variables: Table = variables.collect();
    root.insert("variables".to_owned(), variables.into());
    root.insert("trigger".to_owned(), triggers(app)?.into());
    let (ids, sources) = (app.components.iter(), DependencySources::of(app)?);
    let mut components = ids
        .map(|it| Ok((it.id.clone(), component::manifest(it, &sources)?.into())))
        .collect::<anyhow::Result<Table>>()?;
    components.extend(sources.added()?);
    root.insert("component".to_owned(), components.into());
    if let Some(policies) = policies {
        policies::add(&mut root, policies)?;
    }
    Ok(toml::to_string(&root)?)
}

fn check_requirements(app: &LockedApp) -> anyhow::Result<()> {
    let version = app.spin_lock_version;
    ensure!(
        version <= 1,
        "its format is version {version}, and socar reads versions 0 and 1: use a newer socar"
    );
    let unknown = |name: &&String| !UNDERSTOOD.contains(&name.as_str());
    if let Some(feature) = app.must_understand.iter().find(unknown) {
        bail!("it uses `{feature}`, which socar does not know: use a newer socar, or stock Spin");
    }
    let of_components = app.components.iter().map(|it| &it.host_requirements);
    let required = of_components.chain([&app.host_requirements]).flatten();
    for (name, value) in required {
        let is_met = value == "optional" || SUPPORTED.contains(&name.as_str());
        ensure!(
            is_met,
            "it requires `{name}` of its host, which socar does not have: run it on stock Spin"
        );
    }
    let with_middleware = |dependencies: &Map<String, Value>| !dependencies.is_empty();
    let in_triggers = app.triggers.iter().map(|it| &it.trigger_dependencies);
    let mut dependencies =
        in_triggers.chain(app.components.iter().map(|it| &it.trigger_dependencies));
    ensure!(
        !dependencies.any(with_middleware),
        "it has trigger middleware that is not composed: push it with `spin registry push`, which composes it"
    );
    Ok(())
}

fn application(app: &LockedApp) -> Table {
    let mut application = Table::new();
    for key in ["name", "version", "description", "authors"] {
        insert(&mut application, key, app.metadata.get(key));
    }
    let settings = app.metadata.get("triggers").and_then(Value::as_object);
    let settings = match settings {
        Some(settings) => settings.clone(),
        None => single_trigger(app).unwrap_or_default(),
    };
    if !settings.is_empty() {
        insert(&mut application, "trigger", Some(&settings.into()));
    }
    application
}

/// The settings of the only type of trigger, as versions of Spin before 2.0 wrote them.
fn single_trigger(app: &LockedApp) -> Option<Map<String, Value>> {
    let mut settings = app.metadata.get("trigger")?.as_object()?.clone();
    let kind = settings.remove("type")?.as_str()?.to_owned();
    Some(Map::from_iter([(kind, settings.into())]))
}

fn triggers(app: &LockedApp) -> anyhow::Result<Table> {
    let mut by_type = Table::new();
    for trigger in &app.triggers {
        let mut table = Table::new();
        table.insert("id".to_owned(), trigger.id.as_str().into());
        for (key, value) in &trigger.trigger_config {
            ensure!(
                key != "id",
                "a trigger has two ids: push the application again"
            );
            insert(&mut table, key, Some(value));
        }
        let of_type = by_type
            .entry(trigger.trigger_type.as_str())
            .or_insert_with(|| toml::Value::Array(Vec::new()));
        if let Some(of_type) = of_type.as_array_mut() {
            of_type.push(table.into());
        }
    }
    Ok(by_type)
}

fn insert(table: &mut Table, key: &str, value: Option<&Value>) {
    if let Some(value) = value.and_then(toml_value) {
        table.insert(key.to_owned(), value);
    }
}

fn insert_text(table: &mut Table, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        table.insert(key.to_owned(), text.into());
    }
}

/// The value in TOML, which has no `null`.
fn toml_value(value: &Value) -> Option<toml::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => {
            let values: Vec<_> = values.iter().filter_map(toml_value).collect();
            values.into()
        }
        Value::Object(entries) => {
            let entries = entries.iter();
            let entries =
                entries.filter_map(|(key, value)| Some((key.clone(), toml_value(value)?)));
            Table::from_iter(entries).into()
        }
    })
}

#[cfg(test)]
mod tests;
