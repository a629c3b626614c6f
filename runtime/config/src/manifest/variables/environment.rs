//! Values of variables from the environment, from `.env` files and from the runtime configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::document::{ConfigError, Location};
use crate::text_file::{TextFileError, read_text_file};

/// One `[[variables_provider]]` of a runtime configuration. Its `Debug` output contains no values.
#[derive(Clone, PartialEq, Eq)]
pub enum VariablesProvider {
    /// `type = "static"`: the values themselves.
    Static(BTreeMap<String, String>),
    /// `type = "env"`: environment variables named `<prefix>_<NAME>`.
    Environment {
        /// `SPIN_VARIABLE` by default.
        prefix: String,
        /// A `.env` file for variables that the environment does not have.
        dotenv: Option<PathBuf>,
    },
}

/// The environment variables of a process, and the `.env` file of its working directory. Its `Debug` output contains no
/// values.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    dotenv: Option<PathBuf>,
}

const PREFIX: &str = "SPIN_VARIABLE";

/// The file of variables in the working directory, which may be absent.
pub const DOTENV: &str = ".env";

// === impl VariablesProvider ===

impl VariablesProvider {
    /// # Errors
    /// When the `.env` file is malformed.
    pub(super) fn get(
        &self,
        name: &str,
        environment: &Environment,
    ) -> Result<Option<String>, ConfigError> {
        match self {
            Self::Static(values) => Ok(values.get(name).cloned()),
            Self::Environment { prefix, dotenv } => {
                environment.find(&variable(prefix, name), dotenv.as_deref())
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
    /// The environment of this process, and `.env` in its working directory. Variables that are not Unicode are ignored,
    /// because no variable of a manifest has such a name or value.
    pub fn from_process() -> Self {
        let unicode = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            variables: std::env::vars_os().filter_map(unicode).collect(),
            dotenv: Some(DOTENV.into()),
        }
    }

    /// The environment variable that holds a variable of the manifest.
    pub(in crate::manifest) fn variable(name: &str) -> String {
        variable(PREFIX, name)
    }

    /// # Errors
    /// When the `.env` file is malformed.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, ConfigError> {
        self.find(&Self::variable(name), self.dotenv.as_deref())
    }

    fn find(&self, variable: &str, dotenv: Option<&Path>) -> Result<Option<String>, ConfigError> {
        match (self.variables.get(variable), dotenv) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(file)) => Ok(read_dotenv(file)?.remove(variable)),
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let owned = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            variables: owned.into(),
            dotenv: None,
        }
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

fn variable(prefix: &str, name: &str) -> String {
    format!("{prefix}_{}", name.to_ascii_uppercase())
}

fn is_no_file(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::IsADirectory | ErrorKind::NotADirectory
    )
}

/// Reads a `.env` file with the parser of Spin. An absent file is the same as an empty one, as in Spin, and so is a directory
/// (some tools have one of this name). One that may not be read is none: its values would silently be the defaults.
fn read_dotenv(file: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let at = Location::of_source(&file.display().to_string(), "");
    let text = match read_text_file(file) {
        Ok(text) => text,
        Err(TextFileError::Unreadable(error)) if is_no_file(&error) => return Ok(BTreeMap::new()),
        Err(error) => {
            let remedy = error.remedy("make it readable for the user of the host, or remove it");
            return Err(at.error_without_value(error.to_string(), remedy));
        }
    };
    let lines = dotenvy::from_read_iter(text.as_bytes());
    lines.collect::<Result<_, _>>().map_err(|_| {
        // The parser's error contains the line, which may hold a secret.
        at.error_without_value(
            "a line is not NAME=value",
            "correct the line; put values with spaces in quotes",
        )
    })
}

#[cfg(test)]
mod tests {
    use random_inputs::{edited, edits};

    use super::*;

    #[test]
    fn a_dotenv_file_may_have_comments_and_a_byte_order_mark() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for text in [
            "LIMIT=5000 # won\n",
            "\u{feff}LIMIT=5000\n",
            "\u{feff}# won\r\nexport LIMIT='5000' # won\r\n",
        ] {
            std::fs::write(file.path(), text).expect("a file");
            let values = read_dotenv(file.path()).expect("values");
            let limit = values.get("LIMIT").map(String::as_str);
            assert_eq!(limit, Some("5000"), "{text:?}");
        }
        std::fs::write(file.path(), b"\xff\xfeL\0").expect("a file");
        let error = read_dotenv(file.path()).expect_err("an error").to_string();
        assert!(
            error.ends_with(": is UTF-16 instead of UTF-8; save it as UTF-8"),
            "{error}"
        );
    }

    #[test]
    fn any_dotenv_file_is_read_or_refused() {
        let text = "# values\nexport A=1\nB='two words'\nC=\"x $A ${B}\"\nSECRET=hunter2\n";
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join(".env");
        bolero::check!().with_generator(edits()).for_each(|edits| {
            std::fs::write(&file, edited(text, edits)).expect("a file");
            if let Err(error) = read_dotenv(&file) {
                let error = error.to_string();
                assert!(
                    !error.contains('\n') && !error.contains("hunter2"),
                    "{error}"
                );
            }
        });
    }
}
