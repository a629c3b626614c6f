//! `[component.<id>.dependencies]`: which component implements what another one imports.

use crate::document::{ConfigError, Located, Table, Value, suggest};
use crate::manifest::dependencies::{ImportPattern, Inherited};

/// An entry before `check`.
#[derive(Debug)]
pub(crate) struct DependencyTable {
    pub(crate) imports: ImportPattern,
    pub(crate) component: Located<String>,
    /// The export to use, if its name differs from that of the import.
    pub(crate) export: Option<Located<String>>,
    pub(crate) inherited: Inherited,
}

const FORM: &str = "declare its file as a [component.<id>] and write { component = \"<id>\" }";

/// Takes the dependencies of a component.
///
/// # Errors
/// When a name, a form or a key is invalid.
pub(super) fn read(component: &mut Table) -> Result<Vec<DependencyTable>, ConfigError> {
    // Spin's shorthand for a dependency without a key of its own.
    let all = component.boolean("dependencies_inherit_configuration")?;
    let default = match all.is_some_and(|all| all.value) {
        true => Inherited::all(),
        false => Inherited::default(),
    };
    let entries = component.named("dependencies")?;
    let entries = entries.into_iter();
    entries
        .map(|(name, value)| DependencyTable::read(&name, value, default))
        .collect()
}

impl DependencyTable {
    fn read(name: &str, value: Value, default: Inherited) -> Result<Self, ConfigError> {
        let at = value.at.clone();
        let imports = ImportPattern::parse(name).ok_or_else(|| {
            at.error_without_value(
                "not the name of an interface or a package",
                "write it as \"namespace:package/interface@1.0.0\" or \"namespace:package\"",
            )
        })?;
        if !value.is_table() {
            return Err(value.error("socar reads no registry", FORM));
        }
        let mut table = value.table()?;
        for (key, problem) in [
            ("path", "socar runs components of the manifest only"),
            ("url", "socar downloads no components"),
            ("registry", "socar reads no registry"),
            ("package", "socar reads no registry"),
            ("version", "socar reads no registry"),
        ] {
            if let Some(value) = table.take_unlisted(key) {
                return Err(value.error(problem, FORM));
            }
        }
        let dependency = Self {
            imports,
            component: table.required_string("component", FORM)?,
            export: table.string("export")?,
            inherited: match table.take("inherit_configuration") {
                Some(written) => inherited(written)?,
                None => default,
            },
        };
        table.finish()?;
        Ok(dependency)
    }
}

fn inherited(written: Value) -> Result<Inherited, ConfigError> {
    if !written.is_array() {
        return Ok(match written.boolean()?.value {
            true => Inherited::all(),
            false => Inherited::default(),
        });
    }
    let mut inherited = Inherited::default();
    for key in written.array()? {
        let key = key.string()?;
        if !inherited.add(&key.value) {
            return Err(key.error(
                "no key that a dependency inherits",
                suggest(&key.value, Inherited::keys(), "remove it"),
            ));
        }
    }
    Ok(inherited)
}
