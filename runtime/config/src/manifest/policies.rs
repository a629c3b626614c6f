//! `--policies`: a file of `tool.socar` tables that take precedence over those of the manifest.
//!
//! An operator sets policies without changing the manifest, which belongs to a version of the application.

use std::path::Path;

use crate::document::{self, ConfigError, Table, Value, suggest};

/// Adds the tables of the file to the manifest.
///
/// # Errors
/// When the file cannot be read, contains something else, or names a component that the manifest does not have.
pub(super) fn overlay(manifest: &mut Table, file: &Path) -> Result<(), ConfigError> {
    let mut policies = document::read(file, "name a file that exists after --policies")?;
    if let Some(application) = policies.take("application")
        && let Some(socar) = socar_table(application)?
    {
        manifest.overlay(&["application", "tool", "socar"], socar);
    }
    for (id, component) in policies.named("component")? {
        let known = manifest.names_below("component");
        if !known.contains(&id.as_str()) {
            let remedy = suggest(&id, known, "remove the table");
            return Err(component
                .at
                .error_without_value("there is no such component", remedy));
        }
        if let Some(socar) = socar_table(component)? {
            manifest.overlay(&["component", &id, "tool", "socar"], socar);
        }
    }
    policies.finish()
}

/// Takes the table `tool.socar`, which must be all that the value contains.
fn socar_table(value: Value) -> Result<Option<Table>, ConfigError> {
    let mut table = value.table()?;
    let mut socar = None;
    if let Some(mut tool) = table.table("tool")? {
        socar = tool.table("socar")?;
        tool.finish()?;
    }
    table.finish()?;
    Ok(socar)
}
