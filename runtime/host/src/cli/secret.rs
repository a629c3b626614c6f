//! Flags whose value may be in a file, where a secret is not visible in the list of processes.

/// Returns the value, or the first line of the file of `@FILE`.
///
/// # Errors
/// When the file cannot be read.
pub fn value_or_file(text: &str) -> Result<String, String> {
    let Some(file) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    let content = std::fs::read_to_string(file).map_err(|error| {
        format!("the file {file} cannot be read ({error}): name a file that exists")
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
        for (content, value) in [("token\n", "token"), ("token", "token"), ("", "")] {
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
