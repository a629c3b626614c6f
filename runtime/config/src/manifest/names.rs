//! The names in a manifest. As in Spin, component ids are `kebab-case`, variables are `lower_snake_case`, and the labels
//! of stores are either.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::document::{ConfigError, Location};

/// The id of a component, as in `[component.car]`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComponentId(Arc<str>);

impl ComponentId {
    /// The id as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn new(name: &str, at: &Location) -> Result<Self, ConfigError> {
        check(
            name,
            '-',
            at,
            "component ids are kebab-case, such as `my-component`",
        )?;
        Ok(Self(Arc::from(name)))
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for ComponentId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ComponentId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for ComponentId {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for ComponentId {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

/// Checks the name of a variable.
///
/// # Errors
/// When the name is not `lower_snake_case`.
pub(crate) fn check_variable(name: &str, at: &Location) -> Result<(), ConfigError> {
    let remedy = "variable names are lower_snake_case, such as `payment_limit`";
    if name.chars().any(|letter| letter.is_ascii_uppercase()) {
        return Err(at.error_without_value("the name has capital letters", remedy));
    }
    check(name, '_', at, remedy)
}

/// Checks the label of a key-value store or an SQLite database.
///
/// # Errors
/// When the label is neither `kebab-case` nor `snake_case`.
pub(crate) fn check_label(label: &str, at: &Location) -> Result<(), ConfigError> {
    let (Some(kebab), Some(snake)) = (invalid_words(label, '-'), invalid_words(label, '_')) else {
        return Ok(());
    };
    Err(at.error(
        format_args!("{label:?}"),
        if label.contains('_') { snake } else { kebab },
        "labels are kebab-case or snake_case, such as `car-outbox` or `car_outbox`",
    ))
}

fn check(name: &str, delimiter: char, at: &Location, remedy: &str) -> Result<(), ConfigError> {
    match invalid_words(name, delimiter) {
        Some(problem) => Err(at.error_without_value(problem, remedy)),
        None => Ok(()),
    }
}

/// The problem of a name, if it is invalid. As in the component model, a name consists of words with one delimiter between
/// them; a word starts with a letter and has letters of one case.
fn invalid_words(name: &str, delimiter: char) -> Option<String> {
    if name.is_empty() {
        return Some("the name is empty".to_owned());
    }
    name.split(delimiter).find_map(|word| {
        let Some(first) = word.chars().next() else {
            return Some(format!("a word around `{delimiter}` is empty"));
        };
        if !first.is_ascii_alphabetic() {
            return Some(format!(
                "a word starts with `{first}`, which is not a letter"
            ));
        }
        let other_case = match first.is_ascii_uppercase() {
            true => |letter: char| letter.is_ascii_lowercase(),
            false => |letter: char| letter.is_ascii_uppercase(),
        };
        if let Some(odd) = word.chars().find(|letter| !letter.is_ascii_alphanumeric()) {
            return Some(format!("`{odd}` is neither a letter nor a digit"));
        }
        word.contains(other_case)
            .then(|| format!("`{word}` mixes capital and small letters"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_consists_of_words_as_in_the_component_model() {
        for good in ["car", "car-outbox", "v2-api", "HTTP-proxy"] {
            assert_eq!(invalid_words(good, '-'), None, "{good}");
        }
        for bad in [
            "", "-car", "car-", "car--x", "2car", "car_x", "Car", "car x", "차",
        ] {
            assert!(invalid_words(bad, '-').is_some(), "{bad}");
        }
    }
}
