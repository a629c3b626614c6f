//! Triggers: their settings as they are written, and an id for each.

use std::collections::BTreeSet;

use serde_json::Map;
use toml::{Table, Value};

use super::json;
use crate::locked_app::LockedTrigger;

/// The keys that are no settings of a trigger of one type.
const COMMON: [&str; 4] = ["id", "component", "components", "dependencies"];

/// Locks the triggers of all types.
///
/// # Errors
/// When a setting cannot be written as JSON.
pub fn lock_all(triggers: Option<&Table>) -> anyhow::Result<Vec<LockedTrigger>> {
    let by_type = triggers.into_iter().flatten();
    let all: Vec<(&str, &Table)> = by_type
        .flat_map(|(kind, triggers)| {
            let tables = triggers.as_array().into_iter().flatten();
            let tables = tables.filter_map(Value::as_table);
            tables.map(move |table| (kind.as_str(), table))
        })
        .collect();
    let written = all.iter().filter_map(|(_, table)| text(table, "id"));
    let mut ids: BTreeSet<String> = written.map(str::to_owned).collect();
    all.into_iter()
        .map(|(kind, table)| lock(kind, table, &mut ids))
        .collect()
}

fn lock(kind: &str, table: &Table, ids: &mut BTreeSet<String>) -> anyhow::Result<LockedTrigger> {
    let mut trigger_config = Map::new();
    let settings = table
        .iter()
        .filter(|(key, _)| !COMMON.contains(&key.as_str()));
    for (key, value) in settings {
        trigger_config.insert(key.clone(), json(value)?);
    }
    if let Some(component) = table.get("component") {
        trigger_config.insert("component".to_owned(), json(component)?);
    }
    trigger_config.sort_keys();
    Ok(LockedTrigger {
        id: match text(table, "id") {
            Some(id) => id.to_owned(),
            None => new_id(kind, text(table, "component"), ids),
        },
        trigger_type: kind.to_owned(),
        trigger_config,
        trigger_dependencies: Map::new(),
    })
}

/// The id that Spin would give: after the component, or else a number.
fn new_id(kind: &str, component: Option<&str>, ids: &mut BTreeSet<String>) -> String {
    let natural = component.map(|component| format!("{component}-{kind}-trigger"));
    let numbered = (1..).map(|number: u32| format!("{kind}-trigger{number}"));
    let mut candidates = natural.into_iter().chain(numbered);
    let id = candidates.find(|id| !ids.contains(id)).unwrap_or_default();
    ids.insert(id.clone());
    id
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    let text = table.get(key)?.as_str();
    text.filter(|text| !text.is_empty())
}
