//! Variables: declared in `[variables]`, given a value by the operator, used in templates.
//!
//! The sources have the order of Spin: `--variable`, then the providers of the runtime configuration, then the
//! environment (`SPIN_VARIABLE_<NAME>`, then the `.env` file), then the default. Before the default come the values that
//! this host provides itself ([`HOST_VALUES`]). All values are resolved at the start, so that a missing value stops the
//! start and not the first request that needs it.

mod arguments;
mod environment;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::template::Template;
use crate::document::{ConfigError, Located, Location, suggest, without_credentials};
use crate::policy::{VariableKind, VariableKinds};

pub use environment::{DOTENV, Environment, VariablesProvider};

/// The options of a start that change an application.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--variable` arguments in their order: `key=value`, `key=@file`, `@file.json` or `@file.toml`.
    pub variables: Vec<String>,
    /// `[[variables_provider]]` tables of the runtime configuration, in their order.
    pub providers: Vec<VariablesProvider>,
    /// The environment variables.
    pub environment: Environment,
    /// `-c` arguments: the components to keep; empty keeps all.
    pub components: Vec<String>,
    /// The file of `--policies`.
    pub policies: Option<PathBuf>,
    /// The application is only packed: a required variable may be without a value.
    pub without_values: bool,
}

/// The resolved variables of one component. Its `Debug` output contains names only, because a value may be a secret.
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

/// The variables of the application with their values.
#[derive(Debug, Default)]
pub(crate) struct ResolvedVariables {
    values: BTreeMap<String, ResolvedValue>,
}

struct ResolvedValue {
    /// `None` for a required variable of an application that is only packed.
    value: Option<String>,
    secret: bool,
}

/// A text in which every template is replaced by its value.
pub(crate) struct RenderedTemplate {
    pub(crate) text: String,
    /// Whether the text contained a template.
    pub(crate) templated: bool,
    /// Whether a variable in it has no value. Then `text` is the template itself.
    pub(crate) unresolved: bool,
    /// Whether a value in it is a secret.
    secret: bool,
}

/// The values that this host provides to applications that declare the variable. They take precedence over the default,
/// which is for other hosts, and every value of the operator takes precedence over them. With an identity, the operator
/// may set no other verifier: see [`App::check_identity_verifier`](super::App::check_identity_verifier).
const HOST_VALUES: [(&str, &str); 2] = [("link_breakers", HOST), (IDENTITY_VERIFIER, HOST)];

/// The variable that says who verifies access tokens.
pub(super) const IDENTITY_VERIFIER: &str = "identity_verifier";

/// The value of [`HOST_VALUES`]: the host does it.
pub(super) const HOST: &str = "host";

/// The other value that these variables may have.
const COMPONENTS: &str = "components";

// === impl ComponentVariables ===

impl ComponentVariables {
    /// The value of a variable of the component.
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
    /// Resolves every declared variable; `manifest` is the name of the file in errors.
    ///
    /// # Errors
    /// When a required variable has no value, when `--variable` names a variable that is not declared, or when a file
    /// with values cannot be read.
    pub(crate) fn resolve(
        manifest: &str,
        declarations: &[VariableDeclaration],
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let arguments = arguments::parse(&overrides.variables)?;
        for name in arguments.keys() {
            if !declarations.iter().any(|declared| declared.name == *name) {
                let declared = declarations.iter().map(|declared| declared.name.as_str());
                // The value may be a secret whose name is misspelt.
                return Err(Location::of_source("--variable", name).error_without_value(
                    format!("{manifest} declares no such variable"),
                    suggest(name, declared, "declare it in [variables]"),
                ));
            }
        }
        let mut values = BTreeMap::new();
        for declared in declarations {
            let value = match arguments.get(&declared.name) {
                Some(value) => Some(value.clone()),
                None => declared.resolve(overrides)?,
            };
            if value.is_none() && !overrides.without_values {
                return Err(declared.without_value());
            }
            let resolved = ResolvedValue {
                value,
                secret: declared.secret,
            };
            values.insert(declared.name.clone(), resolved);
        }
        Ok(Self { values })
    }

    /// Checks the values of variables whose kind the manifest declares, and of those in [`HOST_VALUES`].
    ///
    /// # Errors
    /// When a value is not of its kind, or a kind is declared for an unknown variable.
    pub(crate) fn check_kinds(
        &self,
        declarations: &[VariableDeclaration],
        kinds: &VariableKinds,
    ) -> Result<(), ConfigError> {
        for (name, kind) in kinds {
            let declared = declarations.iter().find(|declared| declared.name == *name);
            let Some(declared) = declared else {
                let known = declarations.iter().map(|declared| declared.name.as_str());
                let remedy = suggest(name, known, "declare it in [variables]");
                return Err(kind
                    .at
                    .error_without_value("there is no such variable in [variables]", remedy));
            };
            self.check_kind(declared, &kind.value)?;
        }
        for declared in declarations {
            if HOST_VALUES.iter().any(|(name, _)| *name == declared.name) {
                self.check_kind(declared, &VariableKind::one_of([COMPONENTS, HOST]))?;
            }
        }
        Ok(())
    }

    fn check_kind(
        &self,
        declared: &VariableDeclaration,
        kind: &VariableKind,
    ) -> Result<(), ConfigError> {
        let name = &declared.name;
        let Some(ResolvedValue {
            value: Some(value),
            secret,
        }) = self.values.get(name)
        else {
            return Ok(());
        };
        kind.check(value).map_err(|(problem, right)| {
            let shown = match *secret {
                true => "the secret".to_owned(),
                false => format!("the value {value:?}"),
            };
            declared.at.error_without_value(
                format!("{shown} of this variable is unusable: {problem}"),
                format!(
                    "start with --variable {name}=… or set {}, {right}",
                    Environment::variable(name)
                ),
            )
        })
    }

    /// The value of a declared variable; empty for one without a value, in an application that is only packed.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let resolved = self.values.get(name)?;
        Some(resolved.value.as_deref().unwrap_or_default())
    }

    /// The names of all variables.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Replaces the templates of a text by their values.
    ///
    /// # Errors
    /// When a template is malformed or names a variable that is not declared.
    pub(crate) fn render(&self, text: &Located<String>) -> Result<RenderedTemplate, ConfigError> {
        let template = Template::parse(&text.value).map_err(|problem| {
            text.error(
                problem,
                "write `{{ name }}` with the name of a variable in [variables]",
            )
        })?;
        let is_undeclared = |name: &&str| !self.values.contains_key(*name);
        if let Some(unknown) = template.names().find(is_undeclared) {
            let declared = self.values.keys().map(String::as_str);
            return Err(text.error(
                format!("there is no variable `{unknown}` in [variables]"),
                suggest(unknown, declared, "declare it there"),
            ));
        }
        let resolved = |name: &str| self.values.get(name);
        let value = |name: &str| resolved(name).and_then(|it| it.value.as_deref());
        let unresolved = template.names().any(|name| value(name).is_none());
        Ok(RenderedTemplate {
            text: match unresolved {
                true => text.value.clone(),
                false => template.render(|name| value(name).unwrap_or_default()),
            },
            templated: template.names().next().is_some(),
            unresolved,
            secret: template
                .names()
                .any(|name| resolved(name).is_some_and(|it| it.secret)),
        })
    }
}

impl fmt::Debug for ResolvedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (&self.value, self.secret) {
            (_, true) => "(secret)",
            (Some(value), false) => value,
            (None, false) => "(none)",
        })
    }
}

// === impl VariableDeclaration ===

impl VariableDeclaration {
    /// The value from a provider, the environment, this host or the default.
    fn resolve(&self, overrides: &Overrides) -> Result<Option<String>, ConfigError> {
        let environment = &overrides.environment;
        for provider in &overrides.providers {
            if let Some(value) = provider.get(&self.name, environment)? {
                return Ok(Some(value));
            }
        }
        if let Some(value) = environment.get(&self.name)? {
            return Ok(Some(value));
        }
        let of_host = HOST_VALUES.iter().find(|(name, _)| *name == self.name);
        let of_host = of_host.map(|(_, value)| (*value).to_owned());
        Ok(of_host.or_else(|| self.default.clone()))
    }

    fn without_value(&self) -> ConfigError {
        let Self { name, at, .. } = self;
        at.error_without_value(
            "this variable is required and has no value",
            format!(
                "start with --variable {name}=… or set {}",
                Environment::variable(name)
            ),
        )
    }
}

// === impl RenderedTemplate ===

impl RenderedTemplate {
    /// The text in quotes, or a placeholder if it contains a secret.
    pub(crate) fn shown(&self) -> String {
        match self.secret {
            true => "a secret".to_owned(),
            false => without_credentials(&format!("{:?}", self.text)),
        }
    }
}
