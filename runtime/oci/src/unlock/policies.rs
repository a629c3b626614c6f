//! The policies of an artifact, which become `tool.socar` tables of its manifest.

use anyhow::{Context as _, bail};
use toml::{Table, Value};

/// Adds the policies to a manifest.
///
/// # Errors
/// When the text has anything but `tool.socar` tables of the application and its components.
pub fn add(manifest: &mut Table, text: &str) -> anyhow::Result<()> {
    let policies: Table = text.parse().map_err(|_| malformed("is not TOML"))?;
    for (key, value) in policies {
        match (key.as_str(), value) {
            ("application", application) => {
                let socar = socar(application)?;
                set(manifest, &["application"], socar)?;
            }
            ("component", Value::Table(components)) => {
                for (id, component) in components {
                    let socar = socar(component)?;
                    set(manifest, &["component", &id], socar)?;
                }
            }
            _ => {
                return Err(malformed(
                    "has other tables than those of a file of policies",
                ));
            }
        }
    }
    Ok(())
}

/// The table `tool.socar`, which must be all that the value contains.
fn socar(owner: Value) -> anyhow::Result<Value> {
    only(only(owner, "tool")?, "socar")
}

fn only(owner: Value, key: &str) -> anyhow::Result<Value> {
    let Value::Table(mut table) = owner else {
        return Err(malformed("has a value in the place of a table"));
    };
    match (table.remove(key), table.is_empty()) {
        (Some(value), true) => Ok(value),
        _ => Err(malformed("has other tables than `tool.socar`")),
    }
}

fn set(manifest: &mut Table, path: &[&str], socar: Value) -> anyhow::Result<()> {
    let mut owner = manifest;
    for key in path {
        let found = owner.get_mut(*key).and_then(Value::as_table_mut);
        owner = found.with_context(|| {
            format!("the layer of policies names `{}`, which the application does not have: push the application again", path.join("."))
        })?;
    }
    let tool = Table::from_iter([("socar".to_owned(), socar)]);
    match owner.insert("tool".to_owned(), tool.into()) {
        None => Ok(()),
        Some(_) => bail!("the layer of policies has a table twice: push the application again"),
    }
}

fn malformed(problem: &str) -> anyhow::Error {
    anyhow::anyhow!("the layer of policies {problem}: push the application again")
}
