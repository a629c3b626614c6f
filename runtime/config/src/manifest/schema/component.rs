//! `[component.<id>]` and `[component.<id>.build]`.

use super::dependencies::{self, DependencyTable};
use super::tool;
use super::unsupported::reject_unsupported;
use crate::document::{ConfigError, Located, Location, Table, Value};
use crate::manifest::files::FileMount;
use crate::manifest::names::{ComponentId, check_label, check_variable};

/// A component before `check`.
#[derive(Debug)]
pub(crate) struct ComponentTable {
    pub(crate) at: Location,
    pub(crate) id: ComponentId,
    pub(crate) source: Located<String>,
    pub(crate) variables: Vec<(String, Located<String>)>,
    pub(crate) environment: Vec<(String, Located<String>)>,
    pub(crate) files: Vec<FileMount>,
    pub(crate) exclude_files: Vec<Located<String>>,
    pub(crate) allowed_outbound_hosts: Vec<Located<String>>,
    pub(crate) key_value_stores: Vec<Located<String>>,
    pub(crate) sqlite_databases: Vec<Located<String>>,
    pub(crate) dependencies: Vec<DependencyTable>,
    pub(crate) build: Option<BuildTable>,
    /// `[component.<id>.tool.socar]`.
    pub(crate) policy: Option<Table>,
}

/// The build commands of a component before `check`.
#[derive(Debug)]
pub(crate) struct BuildTable {
    pub(crate) at: Location,
    pub(crate) commands: Vec<Located<String>>,
    pub(crate) workdir: Option<Located<String>>,
}

// === impl ComponentTable ===

impl ComponentTable {
    pub(super) fn read(id: &str, value: Value) -> Result<Self, ConfigError> {
        let id = ComponentId::new(id, &value.at)?;
        let mut table = value.table()?;
        reject_unsupported(
            &mut table,
            "allowed_http_hosts",
            "this deprecated key",
            "use `allowed_outbound_hosts`",
        )?;
        reject_unsupported(
            &mut table,
            "ai_models",
            "AI models",
            "remove it, or run the component on stock Spin",
        )?;
        // These keys concern only `spin build` and `spin deploy`.
        table.array("targets")?;
        table.table("profile")?;
        table.string("description")?;
        let component = Self {
            at: table.at().clone(),
            id,
            source: read_source(&mut table)?,
            variables: table.named_strings("variables")?,
            environment: table.named_strings("environment")?,
            files: read_files(&mut table)?,
            exclude_files: table.strings("exclude_files")?,
            allowed_outbound_hosts: table.strings("allowed_outbound_hosts")?,
            key_value_stores: read_labels(&mut table, "key_value_stores")?,
            sqlite_databases: read_labels(&mut table, "sqlite_databases")?,
            dependencies: dependencies::read(&mut table)?,
            build: table.table("build")?.map(BuildTable::read).transpose()?,
            policy: tool::read(&mut table)?,
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
