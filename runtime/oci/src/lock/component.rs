//! Components: their grants as they are written, and their files by digest.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use config::manifest::{App, is_chaining_host};
use serde_json::{Map, Value};
use toml::Table;
use walkdir::WalkDir;

use super::artifact::Contents;
use super::{add, table};
use crate::locked_app::{
    LockedComponent, LockedDependency, LockedFile, LockedInheritance, LockedSource, REQUIRED,
    SERVICE_CHAINING,
};

/// The first bytes of a component; those of a module differ.
const COMPONENT_HEADER: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// Keys of the manifest and their names in the metadata of a locked component.
const GRANTS: [(&str, &str); 4] = [
    ("description", "description"),
    ("allowed_outbound_hosts", "allowed_outbound_hosts"),
    ("key_value_stores", "key_value_stores"),
    ("sqlite_databases", "databases"),
];

/// The built components by their ids.
pub struct BuiltComponents(BTreeMap<String, Bytes>);

// === impl BuiltComponents ===

impl BuiltComponents {
    /// Reads the file of every component.
    ///
    /// # Errors
    /// When a file cannot be read, or is no component.
    pub fn read(manifest: &Table, app: &App) -> anyhow::Result<Self> {
        let components = table(manifest, "component").into_iter().flatten();
        let sources = components.filter_map(|(id, component)| {
            let source = component.as_table()?.get("source")?.as_str()?;
            Some((id, app.root.join(source)))
        });
        let read = |(id, path): (&String, std::path::PathBuf)| {
            let shown = path.display();
            let wasm = std::fs::read(&path).with_context(|| {
                format!("component `{id}`: cannot read {shown}: build it first")
            })?;
            ensure!(
                wasm.starts_with(&COMPONENT_HEADER),
                "component `{id}`: {shown} is no component: build it for wasm32-wasip2"
            );
            Ok((id.clone(), Bytes::from(wasm)))
        };
        Ok(Self(sources.map(read).collect::<anyhow::Result<_>>()?))
    }

    fn add(&self, id: &str, contents: &mut Contents) -> anyhow::Result<LockedSource> {
        let wasm = self.0.get(id);
        let wasm = wasm.with_context(|| format!("component `{id}` has no file"))?;
        Ok(LockedSource {
            content_type: "application/wasm".to_owned(),
            content: contents.add_wasm(wasm),
        })
    }
}

/// Locks all components, in the order of the manifest.
///
/// # Errors
/// When a file of a component cannot be read.
pub fn lock_all(
    manifest: &Table,
    app: &App,
    sources: &BuiltComponents,
    contents: &mut Contents,
) -> anyhow::Result<Vec<LockedComponent>> {
    let components = table(manifest, "component").into_iter().flatten();
    components
        .filter_map(|(id, component)| Some((id, component.as_table()?)))
        .map(|(id, component)| {
            let source = sources.add(id, contents)?;
            let dependencies = dependencies(component, sources, contents)?;
            Ok(LockedComponent {
                id: id.clone(),
                metadata: metadata(component)?,
                source,
                env: strings(component, "environment"),
                files: files(id, app, contents)?,
                config: strings(component, "variables"),
                dependencies,
                trigger_dependencies: Map::new(),
                host_requirements: host_requirements(component),
            })
        })
        .collect()
}

fn metadata(component: &Table) -> anyhow::Result<Map<String, Value>> {
    let mut metadata = Map::new();
    for (key, name) in GRANTS {
        add(&mut metadata, name, component.get(key))?;
    }
    Ok(metadata)
}

fn strings(component: &Table, key: &str) -> BTreeMap<String, String> {
    let values = table(component, key).into_iter().flatten();
    values
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn dependencies(
    component: &Table,
    sources: &BuiltComponents,
    contents: &mut Contents,
) -> anyhow::Result<BTreeMap<String, LockedDependency>> {
    let all = component.get("dependencies_inherit_configuration");
    let default = inheritance(all);
    let entries = table(component, "dependencies").into_iter().flatten();
    entries
        .filter_map(|(name, entry)| Some((name, entry.as_table()?)))
        .map(|(name, entry)| {
            let text = |key: &str| entry.get(key).and_then(toml::Value::as_str);
            let dependency = LockedDependency {
                source: sources.add(text("component").unwrap_or_default(), contents)?,
                export: text("export").map(str::to_owned),
                inherit: match entry.get("inherit_configuration") {
                    None => default.clone(),
                    written => inheritance(written),
                },
            };
            Ok((name.clone(), dependency))
        })
        .collect()
}

fn inheritance(written: Option<&toml::Value>) -> LockedInheritance {
    match written {
        Some(toml::Value::Boolean(true)) => LockedInheritance::All,
        Some(toml::Value::Array(keys)) => {
            let keys = keys.iter().filter_map(toml::Value::as_str);
            LockedInheritance::Some(keys.map(str::to_owned).collect())
        }
        _ => LockedInheritance::default(),
    }
}

/// A host without service chaining must not start a component that calls others by their internal names.
fn host_requirements(component: &Table) -> Map<String, Value> {
    let hosts = component.get("allowed_outbound_hosts");
    let hosts = hosts.and_then(toml::Value::as_array).into_iter().flatten();
    let mut hosts = hosts.filter_map(toml::Value::as_str);
    match hosts.any(is_chaining_host) {
        true => Map::from_iter([(SERVICE_CHAINING.to_owned(), REQUIRED.into())]),
        false => Map::new(),
    }
}

/// The files that the component can read, as they are after patterns and exclusions.
fn files(id: &str, app: &App, contents: &mut Contents) -> anyhow::Result<Vec<LockedFile>> {
    let Some(mounts) = app.component(id).map(|it| &it.files) else {
        return Ok(Vec::new());
    };
    if mounts.is_empty() {
        return Ok(Vec::new());
    }
    let directory = tempfile::tempdir().context("there is no room for a copy of the files")?;
    mounts.copy_into(directory.path(), &app.root.join(".socar"))?;
    let entries = WalkDir::new(directory.path())
        .sort_by_file_name()
        .into_iter();
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let content = Bytes::from(std::fs::read(entry.path())?);
        files.push(LockedFile {
            path: portable(entry.path().strip_prefix(directory.path())?)?,
            content: contents.add_file(&content),
        });
    }
    Ok(files)
}

/// The path with slashes.
fn portable(path: &Path) -> anyhow::Result<String> {
    let parts = path.iter().map(|part| part.to_str());
    let parts: Option<Vec<&str>> = parts.collect();
    let parts =
        parts.with_context(|| format!("{} is not Unicode: rename the file", path.display()))?;
    Ok(parts.join("/"))
}
