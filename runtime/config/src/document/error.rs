//! The error of every configuration, and the location that it points to.
//!
//! An error contains all that is needed to correct it: the file, the line, the dotted key, the value, the problem and
//! the remedy.
//!
//! ```text
//! spin.toml:41: `component.car.key_value_store` = ["car"]: unknown key; did you mean `key_value_stores`?
//! ```

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::redaction::{is_secret, without_credentials};

/// An invalid configuration: the location, the value, the problem and the remedy.
///
/// The content is boxed, so that a `Result` with this error stays small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<ErrorDetails>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct ErrorDetails {
    at: Location,
    value: Option<String>,
    problem: String,
    remedy: String,
}

/// The location of a value: the file as the user named it (or a flag), the line and the dotted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    file: Arc<str>,
    line: Option<usize>,
    key: String,
    /// Whether the values here and below are never shown.
    confidential: bool,
}

/// A value with its location, for checks after parsing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its location.
    pub at: Location,
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorDetails {
            at: Location {
                file, line, key, ..
            },
            value,
            problem,
            remedy,
        } = &*self.0;
        let mut f = OneLine(f);
        f.write_str(file)?;
        if let Some(line) = line {
            write!(f, ":{line}")?;
        }
        match (key.as_str(), value) {
            ("", None) => {}
            ("", Some(value)) => write!(f, ": {value}")?,
            (key, None) => write!(f, ": `{key}`")?,
            (key, Some(value)) => write!(f, ": `{key}` = {value}")?,
        }
        write!(f, ": {problem}; {remedy}")
    }
}

/// Escapes control characters: names and values come from files, and an error is one line of a terminal or a log.
struct OneLine<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl fmt::Write for OneLine<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(char::is_control) {
            let control = part.chars().next_back().filter(|last| last.is_control());
            let plain = &part[..part.len() - control.map_or(0, char::len_utf8)];
            self.0.write_str(plain)?;
            if let Some(control) = control {
                write!(self.0, "{}", control.escape_default())?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

// === impl Location ===

impl Location {
    /// The location of a whole file, or of a flag.
    pub(crate) fn of_source(source: &str, key: impl Into<String>) -> Self {
        Self {
            file: Arc::from(source),
            line: None,
            key: key.into(),
            confidential: false,
        }
    }

    /// A key of the table at this location, on the same line.
    pub(crate) fn child(&self, key: &str) -> Self {
        let key = match self.key.as_str() {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        Self {
            key,
            ..self.clone()
        }
    }

    /// An element of the list at this location.
    pub(crate) fn element(&self, index: usize, line: usize) -> Self {
        Self {
            file: self.file.clone(),
            line: Some(line),
            key: format!("{}[{index}]", self.key),
            confidential: self.confidential,
        }
    }

    /// The same key in another file.
    pub(super) fn in_file(self, file: Arc<str>) -> Self {
        Self { file, ..self }
    }

    pub(super) fn file(&self) -> &Arc<str> {
        &self.file
    }

    pub(crate) fn on_line(self, line: usize) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    /// The location, with a value that may be a secret.
    pub(crate) fn confidential(self) -> Self {
        Self {
            confidential: true,
            ..self
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The line as a suffix of a sentence, such as `" (line 4)"`; empty without a line.
    pub(crate) fn line_suffix(&self) -> String {
        self.line
            .map(|line| format!(" (line {line})"))
            .unwrap_or_default()
    }

    /// An error about the value at this location. The value is left out if it may be a secret, and so are the credentials
    /// of a URL.
    pub fn error(
        &self,
        value: impl fmt::Display,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        let is_shown = !self.confidential && !is_secret(&self.key);
        let value = is_shown.then(|| without_credentials(&value.to_string()));
        self.build_error(value, problem.into(), remedy.into())
    }

    /// An error without a value: the value is absent, secret or too long.
    pub(crate) fn error_without_value(
        &self,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        self.build_error(None, problem.into(), remedy.into())
    }

    fn build_error(&self, value: Option<String>, problem: String, remedy: String) -> ConfigError {
        ConfigError(Box::new(ErrorDetails {
            at: self.clone(),
            value,
            problem: without_credentials(&problem),
            remedy: without_credentials(&remedy),
        }))
    }
}

// === impl Located ===

impl<T: fmt::Debug> Located<T> {
    /// An error about this value.
    pub fn error(&self, problem: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        self.at
            .error(format_args!("{:?}", self.value), problem, remedy)
    }
}
