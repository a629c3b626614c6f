//! A copy of the manifest under test with other policies.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use toml::{Table, Value};

const NO_TABLE: &str = "not the manifest of an application";

/// Writes the manifest `from`, changed by `edit`, into `folder` as `name`, and returns the path of the new file.
///
/// # Errors
/// When the manifest cannot be read or parsed, or the new file cannot be written.
pub fn write_edited(
    from: &Path,
    folder: &Path,
    name: &str,
    edit: impl FnOnce(&mut Table) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let from = match from.is_dir() {
        true => from.join("spin.toml"),
        false => from.to_path_buf(),
    };
    let from = std::path::absolute(from)?;
    let text = std::fs::read_to_string(&from)
        .with_context(|| format!("cannot read {}", from.display()))?;
    let mut manifest: Table = text.parse()?;
    edit(&mut manifest)?;
    let root = from.parent().unwrap_or(Path::new("/"));
    for component in components(&mut manifest)? {
        // Paths are relative to the manifest, which is in another directory now.
        if let Some(Value::String(source)) = component?.get_mut("source") {
            *source = root.join(&*source).display().to_string();
        }
    }
    let written = folder.join(name);
    std::fs::write(&written, toml::to_string(&manifest)?)?;
    Ok(written)
}

/// The tables of all components.
///
/// # Errors
/// When the manifest has none.
pub fn components(
    manifest: &mut Table,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<&mut Table>>> {
    let components = subtable(manifest, &["component"])?.iter_mut();
    Ok(components.map(|(_, component)| component.as_table_mut().context(NO_TABLE)))
}

/// Returns the table at this path; creates it when it is missing.
///
/// # Errors
/// When there is something else than a table.
pub fn subtable<'a>(table: &'a mut Table, path: &[&str]) -> anyhow::Result<&'a mut Table> {
    path.iter().try_fold(table, |table, key| {
        let entry = table.entry(*key).or_insert(Value::Table(Table::new()));
        entry.as_table_mut().context(NO_TABLE)
    })
}
