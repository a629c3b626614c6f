//! Variables: declared once in `[variables]`, given a value by whoever runs the application, used through templates.
//!
//! Who wins, as in Spin: `--variable`, then the runtime configuration's providers in their order, then the
//! environment (`SPIN_VARIABLE_<NAME>`, then a `.env` file), then the default. Before the default comes what this host
//! says of itself ([`OWN`]): no request can say it in its place. All of them are resolved once, at the
//! start, so that a missing value stops the start and not the first request that needs it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::template::Template;
use crate::document;
use crate::document::{ConfigError, Located, Location, suggest};

/// What the command line, the runtime configuration and the environment say about an application.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--variable` arguments in their order: `key=value`, `key=@file`, `@file.json` or `@file.toml`.
    pub variables: Vec<String>,
    /// `[[variables_provider]]` tables of the runtime configuration.
    pub providers: Vec<VariablesProvider>,
    /// The environment to look variables up in.
    pub environment: Environment,
    /// `-c` arguments: the components to keep; empty keeps all.
    pub components: Vec<String>,
}

/// One `[[variables_provider]]` of a runtime configuration.
#[derive(Clone, PartialEq, Eq)]
pub enum VariablesProvider {
    /// `type = "static"`: the values themselves.
    Static(BTreeMap<String, String>),
    /// `type = "env"`: environment variables named `<prefix>_<NAME>`.
    Environment {
        /// Instead of `SPIN_VARIABLE`.
        prefix: String,
        /// A file of `NAME=value` lines to look into as well.
        dotenv: Option<PathBuf>,
    },
}

/// The environment variables of a process and the `.env` file of its working directory.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    dotenv: BTreeMap<String, String>,
}

/// The variables of one component, resolved. Its `Debug` form shows names only: a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ComponentVariables(BTreeMap<String, String>);

/// One entry of `[variables]`.
#[derive(Clone, Debug)]
pub(crate) struct VariableDeclaration {
    pub(crate) name: String,
    pub(crate) at: Location,
    pub(crate) default: Option<String>,
    pub(crate) secret: bool,
}

/// The application's variables with their values.
#[derive(Debug, Default)]
pub(crate) struct ResolvedVariables {
    values: BTreeMap<String, ResolvedValue>,
}

struct ResolvedValue {
    value: String,
    secret: bool,
}

/// A text whose templates have been filled.
pub(crate) struct RenderedTemplate {
    /// The text.
    pub(crate) text: String,
    /// Whether there was anything to fill.
    pub(crate) templated: bool,
    secret: bool,
}

const PREFIX: &str = "SPIN_VARIABLE";

/// What this host says of itself to applications that declare a variable for it. It wins over the default, which is
/// meant for other hosts, and whoever runs the application wins over it.
const OWN: [(&str, &str); 1] = [("link_breakers", "host")];

// === impl VariablesProvider ===

impl VariablesProvider {
    fn get(&self, name: &str, environment: &Environment) -> Option<String> {
        match self {
            Self::Static(values) => values.get(name).cloned(),
            Self::Environment { prefix, dotenv } => {
                let name = format!("{prefix}_{}", name.to_ascii_uppercase());
                let given = environment.variables.get(&name).cloned();
                given.or_else(|| {
                    dotenv
                        .as_deref()
                        .and_then(|file| read_dotenv(file).remove(&name))
                })
            }
        }
    }
}

impl fmt::Debug for VariablesProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(values) => f.debug_tuple("Static").field(&values.keys()).finish(),
            Self::Environment { prefix, dotenv } => f
                .debug_struct("Environment")
                .field("prefix", prefix)
                .field("dotenv", dotenv)
                .finish(),
        }
    }
}

// === impl Environment ===

impl Environment {
    /// What this process was started with, and `.env` in its working directory, as Spin reads them.
    pub fn from_process() -> Self {
        // Names and values that are not Unicode cannot be anybody's variable.
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(unicode).collect(),
            dotenv: read_dotenv(Path::new(".env")),
        }
    }

    /// An environment of exactly these variables.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self {
            variables: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            dotenv: BTreeMap::new(),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        let name = format!("{PREFIX}_{}", name.to_ascii_uppercase());
        self.variables
            .get(&name)
            .or_else(|| self.dotenv.get(&name))
            .cloned()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

// === impl ComponentVariables ===

impl ComponentVariables {
    /// The value of a variable that the component was given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for ComponentVariables {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl fmt::Debug for ComponentVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === impl ResolvedVariables ===

impl ResolvedVariables {
    /// Gives every declared variable its value.
    ///
    /// # Errors
    /// When a required variable has none, or `--variable` names one that does not exist.
    pub(crate) fn resolve(
        manifest: &str,
        declarations: &[VariableDeclaration],
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let arguments = parse_arguments(&overrides.variables)?;
        for (name, value) in &arguments {
            if !declarations.iter().any(|declared| declared.name == *name) {
                let declared = declarations.iter().map(|declared| declared.name.as_str());
                return Err(Location::of_source("--variable", name).error(
                    format_args!("{value:?}"),
                    format!("{manifest} declares no such variable"),
                    suggest(name, declared, "declare it in [variables]"),
                ));
            }
        }
        let values = declarations
            .iter()
            .map(|declared| {
                let name = &declared.name;
                let provided = || {
                    overrides
                        .providers
                        .iter()
                        .find_map(|each| each.get(name, &overrides.environment))
                };
                let value = (arguments.get(name).cloned())
                    .or_else(provided)
                    .or_else(|| overrides.environment.get(name))
                    .or_else(|| own(name))
                    .or_else(|| declared.default.clone())
                    .ok_or_else(|| declared.unset())?;
                let given = ResolvedValue {
                    value,
                    secret: declared.secret,
                };
                Ok((name.clone(), given))
            })
            .collect::<Result<_, ConfigError>>()?;
        Ok(Self { values })
    }

    /// Fills the templates in a text.
    ///
    /// # Errors
    /// When a template is malformed or names a variable that is not declared.
    pub(crate) fn fill(&self, text: &Located<String>) -> Result<RenderedTemplate, ConfigError> {
        let template = Template::parse(&text.value).map_err(|fault| {
            text.error(
                fault,
                "write `{{ name }}` with the name of a variable in [variables]",
            )
        })?;
        let known = || self.values.keys().map(String::as_str);
        if let Some(unknown) = template
            .names()
            .find(|name| !self.values.contains_key(*name))
        {
            return Err(text.error(
                format!("there is no variable `{unknown}` in [variables]"),
                suggest(unknown, known(), "declare it there"),
            ));
        }
        let value = |name| {
            self.values
                .get(name)
                .map_or("", |given| given.value.as_str())
        };
        Ok(RenderedTemplate {
            text: template.fill(value),
            templated: template.names().next().is_some(),
            secret: template
                .names()
                .any(|name| self.values.get(name).is_some_and(|given| given.secret)),
        })
    }
}

impl fmt::Debug for ResolvedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { "(secret)" } else { &self.value })
    }
}

impl VariableDeclaration {
    fn unset(&self) -> ConfigError {
        let Self { name, at, .. } = self;
        at.error_without_value(
            "this variable is required and has no value",
            format!(
                "start with --variable {name}=… or set {PREFIX}_{}",
                name.to_ascii_uppercase()
            ),
        )
    }
}

// === impl RenderedTemplate ===

impl RenderedTemplate {
    /// The text as a message may show it.
    pub(crate) fn shown(&self) -> String {
        if self.secret {
            "a secret".to_owned()
        } else {
            format!("{:?}", self.text)
        }
    }
}

fn own(name: &str) -> Option<String> {
    let found = OWN.iter().find(|(own, _)| *own == name);
    found.map(|(_, value)| (*value).to_owned())
}

/// Later arguments win over earlier ones.
fn parse_arguments(arguments: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    for argument in arguments {
        if let Some(file) = argument.strip_prefix('@') {
            values.extend(read_values(Path::new(file))?);
        } else if let Some((name, value)) = argument.split_once('=') {
            let value = match value.strip_prefix('@') {
                Some(file) => read_text(Path::new(file))?,
                None => value.to_owned(),
            };
            values.insert(name.to_owned(), value);
        } else {
            return Err(Location::of_source("--variable", "").error(
                format_args!("{argument:?}"),
                "there is no `=` in it",
                "write name=value, name=@file, @file.json or @file.toml",
            ));
        }
    }
    Ok(values)
}

fn read_values(file: &Path) -> Result<Vec<(String, String)>, ConfigError> {
    if file
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        let text = read_text(file)?;
        return serde_json::from_str::<BTreeMap<String, String>>(&text)
            .map(|values| values.into_iter().collect())
            .map_err(|error| {
                Location::of_source(&file.display().to_string(), "").error_without_value(
                    format!("not an object of strings ({error})"),
                    "write {\"name\": \"value\"}",
                )
            });
    }
    document::read(file, "name a file that exists after --variable @")?
        .into_named()
        .into_iter()
        .map(|(name, value)| Ok((name, value.string()?.value)))
        .collect()
}

fn read_text(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|error| {
        Location::of_source("--variable", "").error(
            format_args!("\"@{}\"", file.display()),
            format!("the file cannot be read ({error})"),
            "name a file that exists",
        )
    })
}

/// `NAME=value` lines; no file is the same as an empty one, as in Spin.
fn read_dotenv(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_prefix("export ").unwrap_or(line).split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), unquoted(value.trim()).to_owned()))
        .collect()
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote))
        .unwrap_or(value)
}
