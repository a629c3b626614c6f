//! The shape of `spin.toml`, manifest version 2: which keys there are, and of which type.
//!
//! It accepts what stock Spin 4 accepts. What Spin offers and socar does not is refused by name, never ignored: a
//! manifest that starts here means here what it means there. Whether names fit together is for `check` to say.

use super::files::FileMount;
use super::names::{ComponentId, check_label, check_variable};
use super::variables::VariableDeclaration;
use crate::document::{ConfigError, Located, Location};
use crate::document::{Table, Value};

mod triggers;

pub(crate) use triggers::{HttpTriggerTable, HttpTriggerTarget, RedisTriggerTable};

/// `spin.toml`, read but not yet checked against itself.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    /// `[application.trigger.redis] address`.
    pub(crate) redis_address: Option<Located<String>>,
    /// `[application.tool.socar]`.
    pub(crate) policy: Option<Table>,
    pub(crate) variables: Vec<VariableDeclaration>,
    pub(crate) http_triggers: Vec<HttpTriggerTable>,
    pub(crate) redis_triggers: Vec<RedisTriggerTable>,
    pub(crate) components: Vec<ComponentTable>,
}

#[derive(Debug)]
pub(crate) struct ComponentTable {
    pub(crate) at: Location,
    pub(crate) id: ComponentId,
    pub(crate) description: String,
    pub(crate) source: Located<String>,
    pub(crate) variables: Vec<(String, Located<String>)>,
    pub(crate) environment: Vec<(String, Located<String>)>,
    pub(crate) files: Vec<FileMount>,
    pub(crate) exclude_files: Vec<Located<String>>,
    pub(crate) allowed_outbound_hosts: Vec<Located<String>>,
    pub(crate) key_value_stores: Vec<Located<String>>,
    pub(crate) sqlite_databases: Vec<Located<String>>,
    pub(crate) build: Option<BuildTable>,
    /// `[component.<id>.tool.socar]`.
    pub(crate) policy: Option<Table>,
}

#[derive(Debug)]
pub(crate) struct BuildTable {
    pub(crate) at: Location,
    pub(crate) commands: Vec<Located<String>>,
    pub(crate) workdir: Option<Located<String>>,
}

// === impl Manifest ===

impl Manifest {
    pub(crate) fn read(mut root: Table) -> Result<Self, ConfigError> {
        check_version(&mut root)?;
        let mut application = root
            .table("application")?
            .ok_or_else(|| root.missing("application", "add [application] with a name"))?;
        let name = application
            .required_string("name", "add name = \"…\" to [application]")?
            .value;
        let version = optional(application.string("version")?);
        let description = optional(application.string("description")?);
        application.strings("authors")?;
        application.array("targets")?;
        let redis_address = triggers::read_defaults(&mut application)?;
        let policy = read_tool(&mut application)?;
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
            version,
            description,
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
        _ => Err(version.error("only version 2 is understood", remedy)),
    }
}

/// Tables below `tool` belong to whoever they are named after; ours is `socar`.
fn read_tool(owner: &mut Table) -> Result<Option<Table>, ConfigError> {
    match owner.table("tool")? {
        Some(mut tools) => tools.table("socar"),
        None => Ok(None),
    }
}

// === impl VariableDeclaration ===

impl VariableDeclaration {
    fn read(name: String, declared: Value) -> Result<Self, ConfigError> {
        let at = declared.at.clone();
        check_variable(&name, &at)?;
        let mut declared = declared.table()?;
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

// === impl ComponentTable ===

impl ComponentTable {
    fn read(id: &str, value: Value) -> Result<Self, ConfigError> {
        let id = ComponentId::new(id, &value.at)?;
        let mut table = value.table()?;
        refuse(
            &mut table,
            "allowed_http_hosts",
            "this deprecated key",
            "use `allowed_outbound_hosts`",
        )?;
        refuse(
            &mut table,
            "ai_models",
            "AI models",
            "remove it, or run the component on stock Spin",
        )?;
        refuse(
            &mut table,
            "dependencies",
            "component dependencies",
            "compose the component when building it",
        )?;
        // These matter to `spin build` and `spin deploy` only.
        table.boolean("dependencies_inherit_configuration")?;
        table.array("targets")?;
        table.table("profile")?;
        let component = Self {
            at: table.at().clone(),
            id,
            description: optional(table.string("description")?),
            source: read_source(&mut table)?,
            variables: table.named_strings("variables")?,
            environment: table.named_strings("environment")?,
            files: read_files(&mut table)?,
            exclude_files: table.strings("exclude_files")?,
            allowed_outbound_hosts: table.strings("allowed_outbound_hosts")?,
            key_value_stores: read_labels(&mut table, "key_value_stores")?,
            sqlite_databases: read_labels(&mut table, "sqlite_databases")?,
            build: table.table("build")?.map(BuildTable::read).transpose()?,
            policy: read_tool(&mut table)?,
        };
        table.finish()?;
        for (name, value) in &component.variables {
            check_variable(name, &value.at)?;
        }
        Ok(component)
    }
}

fn read_source(component: &mut Table) -> Result<Located<String>, ConfigError> {
    match component.take("source") {
        None => Err(component.missing("source", "add source = \"….wasm\"")),
        Some(remote) if remote.is_table() => Err(remote.error(
            "socar runs local files only",
            "download the component and write its path",
        )),
        Some(path) => path.string(),
    }
}

fn read_files(component: &mut Table) -> Result<Vec<FileMount>, ConfigError> {
    let read = |entry: Value| {
        if !entry.is_table() {
            return entry.string().map(FileMount::Pattern);
        }
        let mut entry = entry.table()?;
        let remedy = "write { source = \"…\", destination = \"/…\" }";
        let source = entry.required_string("source", remedy)?;
        let destination = entry.required_string("destination", remedy)?;
        entry.finish()?;
        FileMount::placement(source, &destination)
    };
    component.array("files")?.into_iter().map(read).collect()
}

fn read_labels(
    component: &mut Table,
    key: &'static str,
) -> Result<Vec<Located<String>>, ConfigError> {
    let labels = component.strings(key)?;
    for label in &labels {
        check_label(&label.value, &label.at)?;
    }
    Ok(labels)
}

// === impl BuildTable ===

impl BuildTable {
    fn read(mut table: Table) -> Result<Self, ConfigError> {
        let command = table
            .take("command")
            .ok_or_else(|| table.missing("command", "add command = \"…\""))?;
        let commands = match command.is_array() {
            true => command
                .array()?
                .into_iter()
                .map(Value::string)
                .collect::<Result<_, _>>()?,
            false => vec![command.string()?],
        };
        let workdir = table.string("workdir")?;
        table.strings("watch")?;
        let at = table.at().child("command");
        table.finish()?;
        Ok(Self {
            at,
            commands,
            workdir,
        })
    }
}

/// Answers a key that Spin has and socar has not; an empty list or table asks for nothing and is let through.
fn refuse(
    table: &mut Table,
    key: &'static str,
    what: &str,
    remedy: &str,
) -> Result<(), ConfigError> {
    match table.take_unlisted(key) {
        Some(value) if !value.is_empty() => {
            Err(value.error(format!("socar does not support {what}"), remedy))
        }
        _ => Ok(()),
    }
}

fn optional(text: Option<Located<String>>) -> String {
    text.map(|text| text.value).unwrap_or_default()
}
