//! Components of a locked application as tables of a manifest.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path};

use anyhow::{Context as _, bail, ensure};
use toml::{Table, Value};

use super::{insert, insert_text};
use crate::cache::Cache;
use crate::digest::Digest;
use crate::locked_app::{
    ContentReference, LockedApp, LockedComponent, LockedDependency, LockedInheritance,
};

/// Names of grants in the metadata of a locked component, and their keys in the manifest.
const GRANTS: [(&str, &str); 5] = [
    ("description", "description"),
    ("allowed_outbound_hosts", "allowed_outbound_hosts"),
    ("key_value_stores", "key_value_stores"),
    ("databases", "sqlite_databases"),
    ("ai_models", "ai_models"),
];

/// Which component a dependency is: an artifact has only the digest of its file.
pub struct DependencySources {
    /// The components that have no grants of their own, as a dependency must be, by their files.
    without_grants: BTreeMap<Digest, String>,
    ids: Vec<String>,
    /// The files that no such component has, with the ids that they get.
    added: RefCell<BTreeMap<Digest, String>>,
}

// === impl DependencySources ===

impl DependencySources {
    /// The components of an application.
    ///
    /// # Errors
    /// When two components have the same id, or one has no file.
    pub fn of(app: &LockedApp) -> anyhow::Result<Self> {
        let mut without_grants = BTreeMap::new();
        let mut ids = Vec::new();
        for component in &app.components {
            let id = &component.id;
            ensure!(!ids.contains(id), "two components are named `{id}`");
            ids.push(id.clone());
            if !has_grants(component) {
                let digest = digest(id, &component.source.content)?;
                without_grants.entry(digest).or_insert_with(|| id.clone());
            }
        }
        Ok(Self {
            without_grants,
            ids,
            added: RefCell::default(),
        })
    }

    /// The components that only dependencies name.
    ///
    /// # Errors
    /// When a path is not Unicode.
    pub fn added(&self) -> anyhow::Result<Table> {
        let added = self.added.borrow();
        let tables = added.iter().map(|(digest, id)| {
            let source = Table::from_iter([("source".to_owned(), path(digest)?.into())]);
            Ok((id.clone(), source.into()))
        });
        tables.collect()
    }

    /// The component with this file, other than the one that depends on it.
    fn id(&self, caller: &str, digest: Digest) -> String {
        let known = self.without_grants.get(&digest);
        if let Some(id) = known.filter(|id| *id != caller) {
            return id.clone();
        }
        let mut added = self.added.borrow_mut();
        if let Some(id) = added.get(&digest) {
            return id.clone();
        }
        let is_free = |id: &String| !self.ids.contains(id) && !added.values().any(|it| it == id);
        let mut numbered = (1..).map(|number: u32| format!("dependency-n{number}"));
        let id = numbered.find(is_free).unwrap_or_default();
        added.insert(digest, id.clone());
        id
    }
}

/// The table of a component.
///
/// # Errors
/// When a content has no digest, or a file would be outside of the component.
pub fn manifest(component: &LockedComponent, sources: &DependencySources) -> anyhow::Result<Table> {
    let id = &component.id;
    let mut table = Table::new();
    let source = path(&digest(id, &component.source.content)?)?;
    table.insert("source".to_owned(), source.into());
    for (name, key) in GRANTS {
        insert(&mut table, key, component.metadata.get(name));
    }
    let texts = [
        ("environment", &component.env),
        ("variables", &component.config),
    ];
    for (key, values) in texts {
        let values = values.iter();
        let values: Table = values
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        if !values.is_empty() {
            table.insert(key.to_owned(), values.into());
        }
    }
    let files = component.files.iter().map(|file| {
        ensure!(
            is_below(&file.path),
            "component `{id}`: the file `{}` is outside of the component: push the application again",
            file.path
        );
        let source = path(&digest(id, &file.content)?)?;
        Ok(Value::Table(Table::from_iter([
            ("source".to_owned(), source.into()),
            ("destination".to_owned(), format!("/{}", file.path).into()),
        ])))
    });
    let files: Vec<Value> = files.collect::<anyhow::Result<_>>()?;
    if !files.is_empty() {
        table.insert("files".to_owned(), files.into());
    }
    let dependencies = component.dependencies.iter().map(|(name, dependency)| {
        let written = self::dependency(id, dependency, sources)?;
        Ok((name.clone(), written.into()))
    });
    let dependencies: Table = dependencies.collect::<anyhow::Result<_>>()?;
    if !dependencies.is_empty() {
        table.insert("dependencies".to_owned(), dependencies.into());
    }
    Ok(table)
}

fn dependency(
    caller: &str,
    dependency: &LockedDependency,
    sources: &DependencySources,
) -> anyhow::Result<Table> {
    let file = digest(caller, &dependency.source.content)?;
    let mut table = Table::new();
    table.insert("component".to_owned(), sources.id(caller, file).into());
    insert_text(&mut table, "export", dependency.export.as_deref());
    let inherited: Value = match &dependency.inherit {
        LockedInheritance::All => true.into(),
        LockedInheritance::Some(keys) => {
            let keys: Vec<Value> = keys.iter().map(|key| key.as_str().into()).collect();
            keys.into()
        }
    };
    table.insert("inherit_configuration".to_owned(), inherited);
    Ok(table)
}

fn has_grants(component: &LockedComponent) -> bool {
    let grants = GRANTS.iter().filter(|(name, _)| *name != "description");
    let mut grants = grants.map(|(name, _)| component.metadata.contains_key(*name));
    let is_plain = component.env.is_empty()
        && component.config.is_empty()
        && component.files.is_empty()
        && component.dependencies.is_empty();
    !is_plain || grants.any(|granted| granted)
}

/// The digest of a content, which a small one may have only by itself.
fn digest(id: &str, content: &ContentReference) -> anyhow::Result<Digest> {
    let named = content.digest.clone();
    let digest = named.or_else(|| content.inline.as_deref().map(Digest::of));
    digest.with_context(|| {
        format!("component `{id}` names a content without a digest: push the application again")
    })
}

/// The path of a content, relative to the manifest beside the cache.
fn path(digest: &Digest) -> anyhow::Result<String> {
    match Cache::relative_path(digest).to_str() {
        Some(path) => Ok(path.to_owned()),
        None => bail!("{digest} has no path"),
    }
}

/// Whether a path stays below the directory that it is joined to.
fn is_below(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}
