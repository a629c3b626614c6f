//! The keys of `spin.toml`, manifest version 2, and their types.
//!
//! socar accepts the manifests that stock Spin 4 accepts. A feature of Spin that socar does not support stops the start
//! and is never ignored, so that a manifest has the same meaning on both. `check` compares the parts with each other.

mod component;
mod dependencies;
mod tool;
mod triggers;
mod unsupported;

use super::names::check_variable;
use super::variables::VariableDeclaration;
use crate::document::{ConfigError, Located, Table, Value};

pub(crate) use component::{BuildTable, ComponentTable};
pub(crate) use dependencies::DependencyTable;
pub(crate) use triggers::{HttpTriggerTable, HttpTriggerTarget, RedisTriggerTable};

/// `spin.toml` before `check`.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    /// `[application.trigger.redis] address`.
    pub(crate) redis_address: Option<Located<String>>,
    /// `[application.tool.socar]`.
    pub(crate) policy: Option<Table>,
    pub(crate) variables: Vec<VariableDeclaration>,
    pub(crate) http_triggers: Vec<HttpTriggerTable>,
    pub(crate) redis_triggers: Vec<RedisTriggerTable>,
    pub(crate) components: Vec<ComponentTable>,
}

// === impl Manifest ===

impl Manifest {
    /// # Errors
    /// When a key is missing or unknown, or when a value is invalid.
    pub(crate) fn read(mut root: Table) -> Result<Self, ConfigError> {
        check_version(&mut root)?;
        let mut application = root
            .table("application")?
            .ok_or_else(|| root.missing("application", "add [application] with a name"))?;
        let name = application
            .required_string("name", "add name = \"…\" to [application]")?
            .value;
        let version = application.string("version")?;
        application.string("description")?;
        application.strings("authors")?;
        application.array("targets")?;
        let redis_address = triggers::read_defaults(&mut application)?;
        let policy = tool::read(&mut application)?;
        application.finish()?;

        let mut variables = Vec::new();
        for (name, declared) in root.named("variables")? {
            variables.push(VariableDeclaration::read(name, declared)?);
        }
        let (http_triggers, redis_triggers) = triggers::read_all(&mut root)?;
        let mut components = Vec::new();
        for (id, component) in root.named("component")? {
            components.push(ComponentTable::read(&id, component)?);
        }
        root.finish()?;
        Ok(Self {
            name,
            version: version.map(|version| version.value).unwrap_or_default(),
            redis_address,
            policy,
            variables,
            http_triggers,
            redis_triggers,
            components,
        })
    }
}

fn check_version(root: &mut Table) -> Result<(), ConfigError> {
    let remedy = "start the file with spin_manifest_version = 2";
    let version = root
        .integer("spin_manifest_version")?
        .ok_or_else(|| root.missing("spin_manifest_version", remedy))?;
    match version.value {
        2 => Ok(()),
        _ => Err(version.error("socar supports version 2 only", remedy)),
    }
}

// === impl VariableDeclaration ===

impl VariableDeclaration {
    fn read(name: String, declared: Value) -> Result<Self, ConfigError> {
        let at = declared.at.clone();
        check_variable(&name, &at)?;
        let declared = declared.table()?;
        let mut declared = match declared.is_set("secret") {
            true => declared.confidential(),
            false => declared,
        };
        declared.string("description")?;
        let required = declared.boolean("required")?;
        let default = declared.string("default")?;
        let secret = declared
            .boolean("secret")?
            .is_some_and(|secret| secret.value);
        declared.finish()?;
        match (required.is_some_and(|required| required.value), &default) {
            (true, Some(default)) => Err(default.error(
                "a required variable has no default",
                "remove `default`, or `required`",
            )),
            (false, None) => Err(at.error_without_value(
                "the variable is neither required nor has it a default",
                "add default = \"…\" or required = true",
            )),
            _ => Ok(Self {
                name,
                at,
                default: default.map(|default| default.value),
                secret,
            }),
        }
    }
}
