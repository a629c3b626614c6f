//! A TOML file read so that every mistake can be answered with its line and key.
//!
//! Serde would tell us *that* a value is wrong; for the reader of the message we also need *where*, and which name
//! he probably meant. So the code that takes a key out of a [`Table`] is the schema: what nobody took is unknown
//! ([`Table::finish`]), and the names that were asked for are the ones to suggest.

use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Located, Location, is_slip, known_names};

/// A table from which keys are taken until none is left.
#[derive(Debug)]
pub(crate) struct Table {
    at: Location,
    entries: Vec<Entry>,
    asked: Vec<&'static str>,
}

/// A value that has not been looked at yet.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) at: Location,
    node: Node,
}

/// What TOML can say, with the lines where it is said.
#[derive(Debug)]
enum Node {
    String(String),
    Integer { text: String, value: Option<i64> },
    Float(String),
    Boolean(bool),
    Datetime(String),
    Array(Vec<(usize, Node)>),
    Table(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    name: String,
    line: usize,
    node: Node,
}

/// Where the lines of a text start.
struct Lines(Vec<usize>);

/// Reads a file; `missing` is the remedy if it cannot be read.
///
/// # Errors
/// When the file cannot be read or is not TOML.
pub(crate) fn read(path: &Path, missing: &str) -> Result<Table, ConfigError> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Location::outside(&file, "").absent(format!("cannot be read ({error})"), missing)
    })?;
    parse(&file, &text)
}

/// Parses a text; `file` is the name that messages give it.
///
/// # Errors
/// When the text is not TOML.
pub(crate) fn parse(file: &str, text: &str) -> Result<Table, ConfigError> {
    let lines = Lines::of(text);
    let file = Arc::from(file);
    match DeTable::parse(text) {
        Ok(root) => Ok(Table {
            at: Location::new(file, None, ""),
            entries: lines.entries(root.into_inner()),
            asked: Vec::new(),
        }),
        Err(error) => {
            let line = lines.at(error.span().map_or(0, |span| span.start));
            let written = text.lines().nth(line - 1).unwrap_or_default().trim();
            Err(Location::new(file, Some(line), "").error(
                format_args!("`{written}`"),
                format!("not valid TOML ({})", error.message()),
                "correct this line",
            ))
        }
    }
}

// === impl Table ===

impl Table {
    pub(crate) fn at(&self) -> &Location {
        &self.at
    }

    /// Takes a value of any type.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.take_silently(key)
    }

    /// Takes a value under a name that nobody should be encouraged to use.
    pub(crate) fn take_silently(&mut self, key: &'static str) -> Option<Value> {
        let index = self.entries.iter().position(|entry| entry.name == key)?;
        Some(self.entries.remove(index).into_value(&self.at))
    }

    /// Rejects a former key.
    ///
    /// # Errors
    /// When the table has the key; the message gives its current name.
    pub(crate) fn reject_renamed(
        &mut self,
        former: &'static str,
        current: &str,
    ) -> Result<(), ConfigError> {
        match self.take_silently(former) {
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

    /// A table whose keys are names that the author chose, in the order of the file; empty when the key is absent.
    pub(crate) fn named(&mut self, key: &'static str) -> Result<Vec<(String, Value)>, ConfigError> {
        Ok(self.table(key)?.map(Table::into_named).unwrap_or_default())
    }

    /// A table of strings whose keys are names that the author chose.
    pub(crate) fn named_strings(
        &mut self,
        key: &'static str,
    ) -> Result<Vec<(String, Located<String>)>, ConfigError> {
        self.named(key)?
            .into_iter()
            .map(|(name, value)| Ok((name, value.string()?)))
            .collect()
    }

    /// Everything in it, in the order of the file.
    pub(crate) fn into_named(self) -> Vec<(String, Value)> {
        let Self { at, entries, .. } = self;
        entries
            .into_iter()
            .map(|entry| (entry.name.clone(), entry.into_value(&at)))
            .collect()
    }

    /// The error for a key that must be there; if it is only misspelt, that is what the message says.
    pub(crate) fn missing(&self, key: &'static str, remedy: &str) -> ConfigError {
        let misspelt = self.entries.iter().find(|entry| is_slip(&entry.name, key));
        match misspelt {
            Some(entry) => {
                let at = self.at.below(&entry.name).on_line(entry.line);
                at.error(
                    shown(&entry.node),
                    "unknown key",
                    format!("did you mean `{key}`?"),
                )
            }
            None => self.at.below(key).absent("this key is missing", remedy),
        }
    }

    /// The end of a table: whatever nobody asked for is a mistake.
    pub(crate) fn finish(self) -> Result<(), ConfigError> {
        let asked = self.asked.clone();
        let Some((name, value)) = self.into_named().into_iter().next() else {
            return Ok(());
        };
        let remedy = known_names(&name, asked, "remove it");
        Err(value.error("unknown key", remedy))
    }
}

// === impl Value ===

impl Value {
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
            Node::Table(entries) => Ok(Table {
                at: self.at,
                entries,
                asked: Vec::new(),
            }),
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
        let at = |index: usize, line| self.at.element(index, line);
        let value = |(index, (line, node))| Value {
            at: at(index, line),
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

    /// A list or a table without anything in it.
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
        self.at.error(shown(&self.node), problem, remedy)
    }

    fn mistyped(&self, expected: &str, remedy: impl Into<String>) -> ConfigError {
        let found = match &self.node {
            Node::String(_) => "a string",
            Node::Integer { .. } => "a whole number",
            Node::Float(_) => "a fraction",
            Node::Boolean(_) => "a boolean",
            Node::Datetime(_) => "a date",
            Node::Array(_) => "a list",
            Node::Table(_) => "a table",
        };
        self.error(format!("expected {expected}, found {found}"), remedy)
    }
}

// === impl Entry ===

impl Entry {
    fn into_value(self, parent: &Location) -> Value {
        Value {
            at: parent.below(&self.name).on_line(self.line),
            node: self.node,
        }
    }
}

// === impl Lines ===

impl Lines {
    fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// Counted from one.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    /// The entries of a table in the order of the file.
    fn entries(&self, table: DeTable<'_>) -> Vec<Entry> {
        let mut table: Vec<_> = table.into_iter().collect();
        table.sort_by_key(|(name, _)| name.span().start);
        table
            .into_iter()
            .map(|(name, value)| Entry {
                line: self.at(name.span().start),
                name: name.into_inner().into_owned(),
                node: self.node(value.into_inner()),
            })
            .collect()
    }

    fn node(&self, value: DeValue<'_>) -> Node {
        match value {
            DeValue::String(text) => Node::String(text.into_owned()),
            DeValue::Integer(digits) => Node::Integer {
                text: digits.as_str().to_owned(),
                value: i64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            },
            DeValue::Float(digits) => Node::Float(digits.as_str().to_owned()),
            DeValue::Boolean(value) => Node::Boolean(value),
            DeValue::Datetime(value) => Node::Datetime(value.to_string()),
            DeValue::Array(elements) => {
                let element = |element: Spanned<DeValue<'_>>| {
                    (
                        self.at(element.span().start),
                        self.node(element.into_inner()),
                    )
                };
                Node::Array(elements.into_iter().map(element).collect())
            }
            DeValue::Table(table) => Node::Table(self.entries(table)),
        }
    }
}

/// A value as it would be written in the file, cut to what a message can carry.
fn shown(node: &Node) -> String {
    let text = match node {
        Node::String(text) => format!("{text:?}"),
        Node::Integer { text, .. } | Node::Float(text) | Node::Datetime(text) => text.clone(),
        Node::Boolean(value) => value.to_string(),
        Node::Array(elements) => {
            let elements: Vec<String> =
                elements.iter().map(|(_, element)| shown(element)).collect();
            format!("[{}]", elements.join(", "))
        }
        Node::Table(entries) => {
            let entry = |entry: &Entry| format!("{} = {}", entry.name, shown(&entry.node));
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{ {} }}", entries.join(", "))
        }
    };
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
