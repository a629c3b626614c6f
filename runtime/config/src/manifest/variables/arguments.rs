//! `--variable`: values on the command line, or in files that it names.

use std::collections::BTreeMap;
use std::path::Path;

use crate::document::{self, ConfigError, Location};
use crate::text_file::read_text_file;

const FLAG: &str = "--variable";

/// Parses all arguments. The last value of a variable takes precedence.
///
/// # Errors
/// When an argument has no `=`, or when a file cannot be read or parsed.
pub(super) fn parse(arguments: &[String]) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    for (index, argument) in arguments.iter().enumerate() {
        if let Some(file) = argument.strip_prefix('@') {
            values.extend(read_values(Path::new(file))?);
        } else if let Some((name, value)) = argument.split_once('=') {
            let value = match value.strip_prefix('@') {
                Some(file) => read_value(Path::new(file))?,
                None => value.to_owned(),
            };
            values.insert(name.to_owned(), value);
        } else {
            // The argument may be a secret.
            return Err(Location::of_source(FLAG, "").error_without_value(
                format!("there is no `=` in argument {}", index + 1),
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
            let place = format!("line {}, column {}", error.line(), error.column());
            Location::of_source(&file.display().to_string(), "").error_without_value(
                format!("not an object of strings ({place})"),
                "write {\"name\": \"value\"}",
            )
        });
    }
    document::read_confidential(file, "name a file that exists after --variable @")?
        .into_named()
        .into_iter()
        .map(|(name, value)| Ok((name, value.string()?.value)))
        .collect()
}

/// Reads one value. Editors and `echo` end a file with a newline, which is no part of the value.
fn read_value(file: &Path) -> Result<String, ConfigError> {
    let mut value = read_text(file)?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    Ok(value)
}

fn read_text(file: &Path) -> Result<String, ConfigError> {
    read_text_file(file).map_err(|error| {
        Location::of_source(FLAG, "").error(
            format_args!("\"@{}\"", file.display()),
            format!("the file {error}"),
            error.remedy("name a file that exists"),
        )
    })
}

#[cfg(test)]
mod tests {
    use bolero::one_value_of;
    use random_inputs::{edited, edits};

    use super::*;

    const FILES: [(&str, &str); 3] = [
        (
            "values.json",
            "{\"payment_limit\": \"5\",\n \"relay_secret\": \"hunter2\"}\n",
        ),
        (
            "values.toml",
            "payment_limit = \"5\"\nrelay_secret = \"hunter2\"\n",
        ),
        ("value.txt", "hunter2\r\n"),
    ];

    #[test]
    fn an_error_shows_no_line_of_a_file_of_values() {
        let folder = tempfile::tempdir().expect("a directory");
        let file = folder.path().join("value.txt");
        std::fs::write(&file, "[hunter2\n").expect("a file");
        let error = parse(&[format!("@{}", file.display())]).expect_err("an error");
        let expected =
            "value.txt:1: not valid TOML (unclosed table, expected `]`); correct this line";
        assert!(error.to_string().ends_with(expected), "{error}");
    }

    #[test]
    fn any_file_of_values_is_read_or_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let input = (one_value_of(FILES), edits());
        bolero::check!()
            .with_generator(input)
            .for_each(|((name, text), edits)| {
                let file = folder.path().join(name);
                std::fs::write(&file, edited(text, edits)).expect("a file");
                for argument in [
                    format!("@{}", file.display()),
                    format!("name=@{}", file.display()),
                ] {
                    if let Err(error) = parse(&[argument]) {
                        let error = error.to_string();
                        assert!(
                            !error.contains('\n') && !error.contains("hunter2"),
                            "{error}"
                        );
                    }
                }
            });
    }
}
