//! `--variable`: values on the command line, or in files that it names.

use std::collections::BTreeMap;
use std::path::Path;

use crate::document::{self, ConfigError, Location};

const FLAG: &str = "--variable";

/// Parses all arguments. The last value of a variable takes precedence.
///
/// # Errors
/// When an argument has no `=`, or when a file cannot be read or parsed.
pub(super) fn parse(arguments: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
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
            return Err(Location::of_source(FLAG, "").error(
                format_args!("{argument:?}"),
                "there is no `=` in it",
                "write name=value, name=@file, @file.json or @file.toml",
            ));
        }
    }
    Ok(values)
}

/// Reads a TOML file, or a JSON file if its name ends in `.json`.
fn read_values(file: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    if file
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return serde_json::from_str(&read_text(file)?).map_err(|error| {
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
        Location::of_source(FLAG, "").error(
            format_args!("\"@{}\"", file.display()),
            format!("the file cannot be read ({error})"),
            "name a file that exists",
        )
    })
}
