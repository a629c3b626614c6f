//! Text files: manifests, configurations, values and secrets are read alike.

use std::path::Path;

/// Why a text file cannot be used. The `Display` output continues a sentence about the file.
#[derive(Debug, thiserror::Error)]
pub enum TextFileError {
    /// It is absent, or may not be read.
    #[error("cannot be read ({0})")]
    Unreadable(#[from] std::io::Error),
    /// It begins with the byte order mark of UTF-16.
    #[error("is UTF-16 instead of UTF-8")]
    Utf16,
    /// A line, counted from one, is in another encoding.
    #[error("is not UTF-8 (line {line})")]
    NotUtf8 {
        /// The line.
        line: usize,
    },
}

const UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// Reads a file in UTF-8. A byte order mark, which some editors write, is no part of the text.
///
/// # Errors
/// When the file cannot be read, or has another encoding.
pub fn read_text_file(path: &Path) -> Result<String, TextFileError> {
    let bytes = std::fs::read(path)?;
    if UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(TextFileError::Utf16);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let breaks = valid.iter().filter(|byte| **byte == b'\n');
        TextFileError::NotUtf8 {
            line: breaks.count() + 1,
        }
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

// === impl TextFileError ===

impl TextFileError {
    /// The remedy; `otherwise` is that for a file that cannot be read.
    pub fn remedy<'a>(&self, otherwise: &'a str) -> &'a str {
        match self {
            Self::Unreadable(_) => otherwise,
            Self::Utf16 | Self::NotUtf8 { .. } => "save it as UTF-8",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_without_its_byte_order_mark() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let read = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            read_text_file(file.path()).map_err(|error| error.to_string())
        };
        assert_eq!(
            read("\u{feff}차 = 1\n".as_bytes()).as_deref(),
            Ok("차 = 1\n")
        );
        assert_eq!(read(b"").as_deref(), Ok(""));
        for utf_16 in [b"\xff\xfea\0", b"\xfe\xff\0a"] {
            assert_eq!(read(utf_16).unwrap_err(), "is UTF-16 instead of UTF-8");
        }
        assert_eq!(
            read(b"# a\nb = \"caf\xe9\"\n").unwrap_err(),
            "is not UTF-8 (line 2)"
        );
        let absent = read_text_file(Path::new("/no/such/file")).unwrap_err();
        assert_eq!(absent.remedy("name a file"), "name a file");
    }
}
