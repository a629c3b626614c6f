//! Flags whose value may be in a file, where a secret is not visible in the list of processes.

use std::path::Path;

use clap::error::{ContextKind, ContextValue};
use config::read_text_file;

/// Returns the value, or the first line of the file of `@FILE`.
///
/// # Errors
/// When the file cannot be read. The message does not name it: a secret may begin with `@`.
pub fn value_or_file(text: &str) -> Result<String, String> {
    let Some(file) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    let content = read_text_file(Path::new(file)).map_err(|error| {
        let remedy = error.remedy("name a file that exists");
        format!("a value that begins with @ names a file, and the file {error}: {remedy}")
    })?;
    Ok(content.lines().next().unwrap_or_default().to_owned())
}

/// Takes the value out of an error about `@FILE`.
pub fn hide_value(error: &mut clap::Error) {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
        && value.starts_with('@')
    {
        let hidden = ContextValue::String("@…".to_owned());
        error.insert(ContextKind::InvalidValue, hidden);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{hide_value, value_or_file};
    use crate::cli::Arguments;

    #[test]
    fn no_error_shows_a_secret_that_begins_with_an_at_sign() {
        for flag in ["--admin-token", "--redis-url"] {
            let parsed = Arguments::try_parse_from(["socar", "up", flag, "@hunter2"]);
            let mut error = parsed.unwrap_err();
            hide_value(&mut error);
            let text = error.to_string();
            assert!(!text.contains("hunter2"), "{text}");
            let has_remedy = text.contains(flag) && text.contains("name a file that exists");
            assert!(has_remedy, "{text}");
        }
    }

    #[test]
    fn a_value_or_the_first_line_of_a_file() {
        assert_eq!(value_or_file("plain").as_deref(), Ok("plain"));
        let file = tempfile::NamedTempFile::new().unwrap();
        let argument = format!("@{}", file.path().display());
        for (content, value) in [
            ("token\n", "token"),
            ("token", "token"),
            ("", ""),
            ("\u{feff}token\r\n", "token"),
        ] {
            std::fs::write(file.path(), content).unwrap();
            assert_eq!(value_or_file(&argument).as_deref(), Ok(value));
        }
        let refused = value_or_file("@/no/such/file").unwrap_err();
        assert!(refused.contains("the file cannot be read"), "{refused}");
    }
}
