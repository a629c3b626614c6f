//! Flags whose value may be in a file, where a secret is not visible in the list of processes.

use std::path::Path;

use config::read_text_file;

/// Returns the value, or the first line of the file of `@FILE`.
///
/// # Errors
/// When the file cannot be read.
pub fn value_or_file(text: &str) -> Result<String, String> {
    let Some(file) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    let content = read_text_file(Path::new(file)).map_err(|error| {
        let remedy = error.remedy("name a file that exists");
        format!("the file {file} {error}: {remedy}")
    })?;
    Ok(content.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::value_or_file;

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
        assert!(
            refused.contains("/no/such/file cannot be read"),
            "{refused}"
        );
    }
}
