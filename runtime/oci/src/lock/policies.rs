//! The policies of a manifest, in the format of `--policies`. Spin drops them from a locked application.

use toml::{Table, Value};

use super::table;

/// The `tool.socar` tables of a manifest; `None` when there are none.
///
/// # Errors
/// When they cannot be written as TOML.
pub fn of(manifest: &Table) -> anyhow::Result<Option<String>> {
    let mut policies = Table::new();
    if let Some(application) = table(manifest, "application").and_then(socar) {
        policies.insert("application".to_owned(), application);
    }
    let components = table(manifest, "component").into_iter().flatten();
    let components: Table = components
        .filter_map(|(id, component)| Some((id.clone(), socar(component.as_table()?)?)))
        .collect();
    if !components.is_empty() {
        policies.insert("component".to_owned(), Value::Table(components));
    }
    match policies.is_empty() {
        true => Ok(None),
        false => Ok(Some(toml::to_string(&policies)?)),
    }
}

/// The table with nothing but `tool.socar`.
fn socar(owner: &Table) -> Option<Value> {
    let socar = owner.get("tool")?.as_table()?.get("socar")?.clone();
    let within = |key: &str, value| Value::Table(Table::from_iter([(key.to_owned(), value)]));
    Some(within("tool", within("socar", socar)))
}
