//! A TOML document whose values know their location, so that every error names the line and the key.
//!
//! The code that takes a key out of a [`Table`] is the schema. Keys that remain are unknown ([`Table::finish`]), and
//! the keys that the code requested are the ones that the error suggests. Serde reports neither the line of a value of
//! the wrong type nor a similar key.

mod error;
mod node;
mod overlay;
mod redaction;
mod suggestion;

use std::path::Path;

use crate::text_file::read_text_file;
use node::{Entry, Node};

pub use error::{ConfigError, Located, Location};
pub use redaction::without_credentials;
pub(crate) use suggestion::{is_misspelt, is_typo, suggest};

/// A table from which keys are taken until none is left.
#[derive(Debug)]
pub(crate) struct Table {
    at: Location,
    entries: Vec<Entry>,
    requested: Vec<&'static str>,
}

/// A value whose type is not checked yet.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) at: Location,
    node: Node,
}

/// Reads a file; `remedy` is the remedy of the error if it cannot be read.
///
/// # Errors
/// When the file cannot be read or is not TOML.
pub(crate) fn read(path: &Path, remedy: &str) -> Result<Table, ConfigError> {
    parse(&path.display().to_string(), &read_text(path, remedy)?)
}

/// Reads a file of values, each of which may be a secret: no error shows any part of it.
///
/// # Errors
/// When the file cannot be read, or is not TOML.
pub(crate) fn read_confidential(path: &Path, remedy: &str) -> Result<Table, ConfigError> {
    let at = Location::of_source(&path.display().to_string(), "");
    match node::parse(&read_text(path, remedy)?) {
        Ok(entries) => Ok(Table::new(at.confidential(), entries)),
        Err(syntax) => Err(at.on_line(syntax.line).error_without_value(
            format!("not valid TOML ({})", syntax.message),
            "correct this line",
        )),
    }
}

fn read_text(path: &Path, remedy: &str) -> Result<String, ConfigError> {
    read_text_file(path).map_err(|error| {
        Location::of_source(&path.display().to_string(), "")
            .error_without_value(error.to_string(), error.remedy(remedy))
    })
}

/// Parses a text; `file` is its name in errors.
///
/// # Errors
/// When the text is not TOML.
pub(crate) fn parse(file: &str, text: &str) -> Result<Table, ConfigError> {
    let at = Location::of_source(file, "");
    match node::parse(text) {
        Ok(entries) => Ok(Table::new(at, entries)),
        Err(syntax) => {
            let written = text.lines().nth(syntax.line - 1).unwrap_or_default();
            let at = at.on_line(syntax.line);
            let problem = format!("not valid TOML ({})", syntax.message);
            Err(match shown_part(written.trim()) {
                Some(shown) => at.error(format_args!("`{shown}`"), problem, "correct this line"),
                None => at.error_without_value(problem, "correct this line"),
            })
        }
    }
}

/// What an error shows of a malformed line: the header of a table, or the name of a key. The rest may be a secret.
fn shown_part(line: &str) -> Option<String> {
    match line.split_once('=') {
        _ if line.starts_with('[') && !line.contains(['=', '"']) => Some(line.to_owned()),
        Some((key, _)) => Some(format!("{} = …", key.trim())),
        None => None,
    }
}

// === impl Table ===

impl Table {
    fn new(at: Location, entries: Vec<Entry>) -> Self {
        Self {
            at,
            entries,
            requested: Vec::new(),
        }
    }

    pub(crate) fn at(&self) -> &Location {
        &self.at
    }

    /// The table with values that no error shows, because they may be secrets.
    pub(crate) fn confidential(self) -> Self {
        Self {
            at: self.at.confidential(),
            ..self
        }
    }

    /// Whether the table has this key with the value `true`.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        let mut entries = self.entries.iter();
        entries.any(|entry| entry.name == key && matches!(entry.node, Node::Boolean(true)))
    }

    /// Takes a value of any type.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.requested.push(key);
        self.take_unlisted(key)
    }

    /// Takes a value under a key that errors do not suggest.
    pub(crate) fn take_unlisted(&mut self, key: &'static str) -> Option<Value> {
        let index = self.entries.iter().position(|entry| entry.name == key)?;
        Some(Value::of_entry(self.entries.remove(index), &self.at))
    }

    /// Rejects a former key.
    ///
    /// # Errors
    /// When the table has the key; the error gives its current name.
    pub(crate) fn reject_renamed(
        &mut self,
        former: &'static str,
        current: &str,
    ) -> Result<(), ConfigError> {
        match self.take_unlisted(former) {
            Some(value) => {
                Err(value.error("unknown key", format!("`{former}` is now `{current}`")))
            }
            None => Ok(()),
        }
    }

    pub(crate) fn string(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Located<String>>, ConfigError> {
        self.take(key).map(Value::string).transpose()
    }

    pub(crate) fn required_string(
        &mut self,
        key: &'static str,
        remedy: &str,
    ) -> Result<Located<String>, ConfigError> {
        self.string(key)?.ok_or_else(|| self.missing(key, remedy))
    }

    pub(crate) fn boolean(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Located<bool>>, ConfigError> {
        self.take(key).map(Value::boolean).transpose()
    }

    pub(crate) fn integer(
        &mut self,
        key: &'static str,
    ) -> Result<Option<Located<i64>>, ConfigError> {
        self.take(key).map(Value::integer).transpose()
    }

    /// A list of strings; empty when the key is absent.
    pub(crate) fn strings(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<Located<String>>, ConfigError> {
        self.array(key)?.into_iter().map(Value::string).collect()
    }

    /// A list of values; empty when the key is absent.
    pub(crate) fn array(&mut self, key: &'static str) -> Result<Vec<Value>, ConfigError> {
        Ok(self
            .take(key)
            .map(Value::array)
            .transpose()?
            .unwrap_or_default())
    }

    pub(crate) fn table(&mut self, key: &'static str) -> Result<Option<Table>, ConfigError> {
        self.take(key).map(Value::table).transpose()
    }

    /// A table whose keys the author of the file chooses, in the order of the file; empty when the key is absent.
    pub(crate) fn named(&mut self, key: &'static str) -> Result<Vec<(String, Value)>, ConfigError> {
        Ok(self.table(key)?.map(Table::into_named).unwrap_or_default())
    }

    /// A table of strings whose keys the author of the file chooses.
    pub(crate) fn named_strings(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(String, Located<String>)>, ConfigError> {
        self.named(key)?
            .into_iter()
            .map(|(name, value)| Ok((name, value.string()?)))
            .collect()
    }

    /// All remaining keys and values, in the order of the file.
    pub(crate) fn into_named(self) -> Vec<(String, Value)> {
        let Self { at, entries, .. } = self;
        entries
            .into_iter()
            .map(|entry| (entry.name.clone(), Value::of_entry(entry, &at)))
            .collect()
    }

    /// The error for a required key that is absent, or misspelt.
    pub(crate) fn missing(&self, key: &'static str, remedy: &str) -> ConfigError {
        let misspelt = self.entries.iter().find(|entry| is_typo(&entry.name, key));
        match misspelt {
            Some(entry) => {
                let at = self.at.child(&entry.name).on_line(entry.line);
                at.error(&entry.node, "unknown key", format!("did you mean `{key}`?"))
            }
            None => self
                .at
                .child(key)
                .error_without_value("this key is missing", remedy),
        }
    }

    /// Ends the table.
    ///
    /// # Errors
    /// When a key was never taken.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        let requested = self.requested.clone();
        let Some((name, value)) = self.into_named().into_iter().next() else {
            return Ok(());
        };
        let remedy = suggest(&name, requested, "remove it");
        Err(value.error("unknown key", remedy))
    }
}

// === impl Value ===

impl Value {
    fn of_entry(entry: Entry, parent: &Location) -> Self {
        let at = parent.child(&entry.name).on_line(entry.line);
        Self {
            at: match entry.file {
                Some(file) => at.in_file(file),
                None => at,
            },
            node: entry.node,
        }
    }

    pub(crate) fn string(self) -> Result<Located<String>, ConfigError> {
        match self.node {
            Node::String(value) => Ok(Located { value, at: self.at }),
            _ => Err(self.mistyped("a string", "put it in quotes")),
        }
    }

    pub(crate) fn boolean(self) -> Result<Located<bool>, ConfigError> {
        match self.node {
            Node::Boolean(value) => Ok(Located { value, at: self.at }),
            _ => Err(self.mistyped("a boolean", "write true or false, without quotes")),
        }
    }

    pub(crate) fn integer(self) -> Result<Located<i64>, ConfigError> {
        match self.node {
            Node::Integer {
                value: Some(value), ..
            } => Ok(Located { value, at: self.at }),
            _ => Err(self.mistyped("a whole number", "write it without quotes or unit")),
        }
    }

    pub(crate) fn table(self) -> Result<Table, ConfigError> {
        match self.node {
            Node::Table(entries) => Ok(Table::new(self.at, entries)),
            _ => {
                let remedy = format!("write [{}] and its keys below", self.at.key());
                Err(self.mistyped("a table", remedy))
            }
        }
    }

    pub(crate) fn array(self) -> Result<Vec<Value>, ConfigError> {
        let Node::Array(elements) = self.node else {
            return Err(self.mistyped("a list", "put it in square brackets"));
        };
        let value = |(index, (line, node))| Value {
            at: self.at.element(index, line),
            node,
        };
        Ok(elements.into_iter().enumerate().map(value).collect())
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.node {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is a list or a table without elements.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.node {
            Node::Array(elements) => elements.is_empty(),
            Node::Table(entries) => entries.is_empty(),
            _ => false,
        }
    }

    pub(crate) fn is_table(&self) -> bool {
        matches!(self.node, Node::Table(_))
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self.node, Node::Array(_))
    }

    pub(crate) fn error(
        &self,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        self.at.error(&self.node, problem, remedy)
    }

    fn mistyped(&self, expected: &str, remedy: impl Into<String>) -> ConfigError {
        let found = self.node.type_name();
        self.error(format!("expected {expected}, found {found}"), remedy)
    }
}
