//! One message for one mistake.
//!
//! Whoever reads it must be able to act without opening anything else: where it is (file, line, dotted key),
//! what is written there, what is wrong with it and what would be right. All of them look alike:
//!
//! ```text
//! spin.toml:41: `component.car.key_value_store` = ["car"]: unknown key; did you mean `key_value_stores`?
//! ```

use std::fmt;
use std::sync::Arc;

/// A configuration that socar refuses to start with.
///
/// Boxed, because it is the rare half of many a `Result`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Box<Mistake>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    at: Location,
    value: Option<String>,
    problem: String,
    remedy: String,
}

/// Where a value was written: the file as the user named it (or a flag), the line, the dotted key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    file: Arc<str>,
    line: Option<usize>,
    key: String,
}

/// A value that remembers where it was written, so that a later check can still point there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub at: Location,
}

// === impl ConfigError ===

impl ConfigError {
    /// The dotted key that is wrong; empty where no key is to blame.
    pub fn key(&self) -> &str {
        &self.0.at.key
    }

    /// The file, or the flag, that it was read from.
    pub fn file(&self) -> &str {
        &self.0.at.file
    }

    /// The line in the file, counted from one.
    pub fn line(&self) -> Option<usize> {
        self.0.at.line
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mistake {
            at: Location { file, line, key },
            value,
            problem,
            remedy,
        } = &*self.0;
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

impl std::error::Error for ConfigError {}

// === impl Location ===

impl Location {
    pub(crate) fn new(file: Arc<str>, line: Option<usize>, key: impl Into<String>) -> Self {
        Self {
            file,
            line,
            key: key.into(),
        }
    }

    /// A place that is no file: a flag, the environment.
    pub(crate) fn outside(source: &str, key: impl Into<String>) -> Self {
        Self::new(Arc::from(source), None, key)
    }

    /// A key below this one, on the same line.
    pub(crate) fn below(&self, key: &str) -> Self {
        let key = match self.key.as_str() {
            "" => key.to_owned(),
            parent => format!("{parent}.{key}"),
        };
        Self {
            key,
            ..self.clone()
        }
    }

    /// An element of the list at this place.
    pub(crate) fn element(&self, index: usize, line: usize) -> Self {
        let key = format!("{}[{index}]", self.key);
        Self::new(self.file.clone(), Some(line), key)
    }

    pub(crate) fn on_line(self, line: usize) -> Self {
        Self {
            line: Some(line),
            ..self
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// The line, for a sentence about another one: `" (line 4)"`.
    pub(crate) fn shown_line(&self) -> String {
        self.line
            .map(|line| format!(" (line {line})"))
            .unwrap_or_default()
    }

    /// Says what is wrong here, about a value that may be shown.
    pub fn error(
        &self,
        value: impl fmt::Display,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        self.mistake(Some(value.to_string()), problem.into(), remedy.into())
    }

    /// Says what is wrong here, where there is no value to show.
    pub(crate) fn absent(
        &self,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigError {
        self.mistake(None, problem.into(), remedy.into())
    }

    fn mistake(&self, value: Option<String>, problem: String, remedy: String) -> ConfigError {
        ConfigError(Box::new(Mistake {
            at: self.clone(),
            value,
            problem,
            remedy,
        }))
    }
}

// === impl Located ===

impl<T: fmt::Debug> Located<T> {
    /// Says what is wrong with this value.
    pub fn error(&self, problem: impl Into<String>, remedy: impl Into<String>) -> ConfigError {
        self.at
            .error(format_args!("{:?}", self.value), problem, remedy)
    }
}

/// The remedy for a name that is not known: the nearest known one, or all of them.
///
/// `what` reads like `"component"`: "did you mean component `car`?".
pub(crate) fn known_names<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => otherwise.to_owned(),
        None => format!("known here: {}", listed(&known)),
    }
}

/// `` `a`, `b` and `c` `` without the "and": easier to read in a long message.
pub(crate) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// The known name that a typing slip would most likely have turned into `name`.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .filter(|candidate| is_slip(name, candidate))
        .min_by_key(|candidate| slips(name, candidate))
        .copied()
}

/// Whether somebody may have typed `name` and meant `known`.
pub(crate) fn is_slip(name: &str, known: &str) -> bool {
    slips(name, known) <= (name.chars().count() / 3).max(1)
}

/// How many characters must be changed, added, dropped or swapped with their neighbour (the restricted
/// Damerau-Levenshtein distance).
fn slips(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().collect();
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_keyboard_is_recognised() {
        for (typed, meant) in [
            ("compnent", "component"),
            ("nmae", "name"),
            ("key_value_store", "key_value_stores"),
            ("Source", "source"),
        ] {
            assert_eq!(
                nearest(typed, &["component", "name", "key_value_stores", "source"]),
                Some(meant)
            );
        }
    }

    #[test]
    fn a_different_word_is_no_slip() {
        assert_eq!(nearest("colour", &["component", "name", "source"]), None);
        assert_eq!(
            known_names("colour", ["name", "source"], ""),
            "known here: `name`, `source`"
        );
    }
}
