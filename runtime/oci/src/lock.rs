//! From a manifest to a locked application: what `spin registry push` does, with dependencies kept apart.
//!
//! Spin composes each dependency into its callers before a push, unless it is told not to. Here they stay components of
//! their own: `socar` links the contexts of an application itself and needs them, and stock Spin composes them when it
//! starts the application.

mod artifact;
mod component;
mod policies;
mod trigger;

use std::path::Path;

use anyhow::Context as _;
use config::manifest::{App, Overrides};
use serde_json::{Map, Value};
use toml::Table;

pub use artifact::{Artifact, ArtifactDetails};

use crate::locked_app::{COMPONENT_HOST_REQUIREMENTS, LockedApp, LockedVariable};
use artifact::Contents;

/// Packs the application of a manifest, whose components are built.
///
/// # Errors
/// When the manifest is invalid, or a file of it is missing or too much for a registry.
pub fn lock(manifest: &Path, details: ArtifactDetails) -> anyhow::Result<Artifact> {
    let overrides = Overrides {
        without_values: true,
        ..Overrides::default()
    };
    let app = App::load(manifest, &overrides)?;
    app.check_all_sources()?;
    let shown = app.manifest.display();
    let text = std::fs::read_to_string(&app.manifest)
        .with_context(|| format!("cannot read {shown}: name the manifest with -f"))?;
    // The application is valid, so the text is TOML of the right form.
    let manifest: Table = text
        .parse()
        .with_context(|| format!("{shown} is not TOML"))?;
    let mut contents = Contents::default();
    let locked = locked_app(&manifest, &app, &mut contents)?;
    if let Some(policies) = policies::of(&manifest)? {
        contents.add_policies(policies);
    }
    contents.pack(&locked, details)
}

fn locked_app(manifest: &Table, app: &App, contents: &mut Contents) -> anyhow::Result<LockedApp> {
    let triggers = table(manifest, "trigger");
    let sources = component::BuiltComponents::read(manifest, app)?;
    let components = component::lock_all(manifest, app, &sources, contents)?;
    let has_requirements = components.iter().any(|it| !it.host_requirements.is_empty());
    Ok(LockedApp {
        spin_lock_version: u64::from(has_requirements),
        must_understand: match has_requirements {
            true => vec![COMPONENT_HOST_REQUIREMENTS.to_owned()],
            false => Vec::new(),
        },
        metadata: metadata(table(manifest, "application"), triggers)?,
        host_requirements: Map::new(),
        variables: table(manifest, "variables")
            .into_iter()
            .flatten()
            .map(|(name, declared)| Ok((name.clone(), variable(declared)?)))
            .collect::<anyhow::Result<_>>()?,
        triggers: trigger::lock_all(triggers)?,
        components,
    })
}

fn variable(declared: &toml::Value) -> anyhow::Result<LockedVariable> {
    // `required` follows from the absence of a default.
    Ok(declared.clone().try_into()?)
}

/// Name, version, description, authors, and the settings of all triggers of a type.
fn metadata(
    application: Option<&Table>,
    triggers: Option<&Table>,
) -> anyhow::Result<Map<String, Value>> {
    let mut metadata = Map::new();
    for key in ["name", "version", "description", "authors"] {
        add(&mut metadata, key, application.and_then(|it| it.get(key)))?;
    }
    let settings = application.and_then(|it| it.get("trigger"));
    let settings = settings.map_or_else(|| Ok(Map::new().into()), json)?;
    let mut types = triggers.into_iter().flat_map(Table::keys);
    if let (Some(only), None) = (types.next(), types.next()) {
        // Versions of Spin before 2.0 know one trigger.
        let of_only = settings.get(only).and_then(Value::as_object);
        let mut single = of_only.cloned().unwrap_or_default();
        single.insert("type".to_owned(), only.clone().into());
        metadata.insert("trigger".to_owned(), single.into());
    }
    metadata.insert("triggers".to_owned(), settings);
    Ok(metadata)
}

/// Adds a value that is not empty.
fn add(
    metadata: &mut Map<String, Value>,
    key: &str,
    value: Option<&toml::Value>,
) -> anyhow::Result<()> {
    let is_empty = match value {
        None => true,
        Some(toml::Value::String(text)) => text.is_empty(),
        Some(toml::Value::Array(values)) => values.is_empty(),
        Some(_) => false,
    };
    if let Some(value) = value.filter(|_| !is_empty) {
        metadata.insert(key.to_owned(), json(value)?);
    }
    Ok(())
}

/// The value in JSON. Its keys are in alphabetical order, so that the order in a manifest does not change a digest.
fn json(value: &toml::Value) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(value)?;
    value.sort_all_objects();
    Ok(value)
}

fn table<'a>(owner: &'a Table, key: &str) -> Option<&'a Table> {
    owner.get(key)?.as_table()
}

#[cfg(test)]
mod tests;
