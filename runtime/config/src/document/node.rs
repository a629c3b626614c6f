//! Parsed TOML with the line of every key and element, in the order of the file.

use std::fmt;
use std::sync::Arc;

use super::redaction::{is_secret, without_credentials};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A TOML value.
#[derive(Debug)]
pub(super) enum Node {
    String(String),
    /// `value` is `None` beyond 64 bits.
    Integer {
        text: String,
        value: Option<i64>,
    },
    Float(String),
    Boolean(bool),
    Datetime(String),
    /// The elements, each with its line.
    Array(Vec<(usize, Node)>),
    Table(Vec<Entry>),
}

/// A key of a table, its line and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// The file that the entry is from, if it is another one than that of the table.
    pub(super) file: Option<Arc<str>>,
    pub(super) line: usize,
    pub(super) node: Node,
}

/// A text that is not TOML.
pub(super) struct SyntaxError {
    /// Counted from one.
    pub(super) line: usize,
    pub(super) message: String,
}

/// The byte offset at which each line of a text starts.
struct LineStarts(Vec<usize>);

/// The number of characters of a value that an error shows.
const MAX_SHOWN_CHARACTERS: usize = 80;

/// Parses a text into the entries of its root table.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let lines = LineStarts::of(text);
    match DeTable::parse(text) {
        Ok(root) => Ok(lines.entries(root.into_inner())),
        Err(error) => Err(SyntaxError {
            line: lines.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        }),
    }
}

// === impl Node ===

impl Node {
    /// The type in words, for errors.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer { .. } => "a whole number",
            Self::Float(_) => "a fraction",
            Self::Boolean(_) => "a boolean",
            Self::Datetime(_) => "a date",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
        }
    }

    fn to_toml(&self) -> String {
        match self {
            Self::String(text) => format!("{text:?}"),
            Self::Integer { text, .. } | Self::Float(text) | Self::Datetime(text) => text.clone(),
            Self::Boolean(value) => value.to_string(),
            Self::Array(elements) => {
                let elements: Vec<String> =
                    elements.iter().map(|(_, node)| node.to_toml()).collect();
                format!("[{}]", elements.join(", "))
            }
            Self::Table(entries) => {
                let entry = |entry: &Entry| match is_secret(&entry.name) {
                    true => format!("{} = …", entry.name),
                    false => format!("{} = {}", entry.name, entry.node.to_toml()),
                };
                let entries: Vec<String> = entries.iter().map(entry).collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// The value as TOML, shortened to [`MAX_SHOWN_CHARACTERS`].
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = without_credentials(&self.to_toml());
        match text.char_indices().nth(MAX_SHOWN_CHARACTERS) {
            Some((cut, _)) => write!(f, "{}…", &text[..cut]),
            None => f.write_str(&text),
        }
    }
}

// === impl LineStarts ===

impl LineStarts {
    fn of(text: &str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(index, _)| index + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// The line of a byte offset, counted from one.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }

    fn entries(&self, table: DeTable<'_>) -> Vec<Entry> {
        let mut table: Vec<_> = table.into_iter().collect();
        table.sort_by_key(|(name, _)| name.span().start);
        table
            .into_iter()
            .map(|(name, value)| Entry {
                file: None,
                line: self.line(name.span().start),
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
            DeValue::Array(elements) => Node::Array(
                elements
                    .into_iter()
                    .map(|element| self.element(element))
                    .collect(),
            ),
            DeValue::Table(table) => Node::Table(self.entries(table)),
        }
    }

    fn element(&self, element: Spanned<DeValue<'_>>) -> (usize, Node) {
        let line = self.line(element.span().start);
        (line, self.node(element.into_inner()))
    }
}
