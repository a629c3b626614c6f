//! The headers that identify a request on its way: their names, and the forms in which they are accepted.

/// The header of the correlation id.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// Maximum length of a correlation id, in bytes. It is written to logs and events as it is.
const MAX_REQUEST_ID_LENGTH: usize = 128;
/// Length of a `traceparent` of version 00, in bytes.
const TRACEPARENT_LENGTH: usize = 55;

/// Whether a value is accepted as a correlation id: 1 to 128 visible ASCII characters.
#[must_use]
pub fn is_request_id(value: impl AsRef<[u8]>) -> bool {
    let value = value.as_ref();
    (1..=MAX_REQUEST_ID_LENGTH).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}

/// A trace context in version 00: `00-<trace id>-<parent id>-<flags>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent([u8; TRACEPARENT_LENGTH]);

impl Traceparent {
    /// Reads the value of a `traceparent` header (<https://www.w3.org/TR/trace-context/#traceparent-header>). A higher
    /// version is read as far as version 00 goes, and is passed on as version 00 with the flag `sampled` alone. `None`
    /// means that the trace starts anew.
    #[must_use]
    pub fn parse(value: impl AsRef<[u8]>) -> Option<Self> {
        let value = value.as_ref();
        let known: [u8; TRACEPARENT_LENGTH] = value.get(..TRACEPARENT_LENGTH)?.try_into().ok()?;
        let is_form = [known[2], known[35], known[52]] == *b"---"
            && is_hex(&known[..2])
            && is_id(&known[3..35])
            && is_id(&known[36..52])
            && is_hex(&known[53..]);
        let mut context = Self(known);
        match &known[..2] {
            b"ff" => None,
            b"00" => (is_form && value.len() == TRACEPARENT_LENGTH).then_some(context),
            _ => {
                let rest = &value[TRACEPARENT_LENGTH..];
                context.0[..2].copy_from_slice(b"00");
                context.0[53] = b'0';
                context.0[54] = if is_sampled(known[54]) { b'1' } else { b'0' };
                (is_form && rest.first().is_none_or(|byte| *byte == b'-')).then_some(context)
            }
        }
    }

    /// Reads the lines of the header: two of them are ambiguous, and start the trace anew.
    #[must_use]
    pub fn from_lines<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut lines = lines.into_iter();
        let only = lines.next()?;
        match lines.next() {
            None => Self::parse(only),
            Some(_) => None,
        }
    }

    /// The value of the header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII passes the parser.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn is_hex(part: &[u8]) -> bool {
    part.iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(part: &[u8]) -> bool {
    is_hex(part) && part.iter().any(|byte| *byte != b'0')
}

/// Whether the last digit of the flags has the lowest bit.
fn is_sampled(digit: u8) -> bool {
    matches!(digit, b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f')
}

#[cfg(test)]
mod tests {
    use super::*;
    use random_inputs::{edited, edits, fragments};

    const CONTEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn parse(value: &str) -> Option<Traceparent> {
        Traceparent::parse(value)
    }

    #[test]
    fn a_request_id_has_up_to_128_visible_characters() {
        assert!(is_request_id("order-7") && is_request_id([b'x'; 128]));
        for malformed in ["", "a b", "a\u{7f}", "차"] {
            assert!(!is_request_id(malformed), "{malformed:?}");
        }
        assert!(!is_request_id([b'x'; 129]));
    }

    #[test]
    fn a_traceparent_has_four_parts_in_lower_case_hexadecimal() {
        assert_eq!(parse(CONTEXT).unwrap().as_str(), CONTEXT);
        for malformed in [
            "",
            "00",
            "00-zz-1-1",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-02",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "c-00af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_higher_version_is_passed_on_as_version_00() {
        let trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        for (flags, passed_on) in [("01", "01"), ("00", "00"), ("f2", "00"), ("ff", "01")] {
            for rest in ["", "-what-the-future-will-be-like"] {
                let read = parse(&std::format!("cc-{trace}-{flags}{rest}")).unwrap();
                assert_eq!(read.as_str(), std::format!("00-{trace}-{passed_on}"));
            }
        }
    }

    #[test]
    fn two_lines_start_the_trace_anew() {
        let line = CONTEXT.as_bytes();
        assert!(Traceparent::from_lines([line]).is_some());
        assert_eq!(Traceparent::from_lines([line, line]), None);
        assert_eq!(Traceparent::from_lines([]), None);
    }

    /// Any value is read or starts the trace anew, and what is sent on is a value that is read again.
    #[test]
    fn any_traceparent_is_read_or_starts_anew() {
        let grammar = [
            "00",
            "cc",
            "ff",
            "-",
            "0af7651916cd43dd8448eb211c80319c",
            "b7ad6b7169203331",
            "0000000000000000",
            "01",
            "0A",
        ];
        let input = (edits(), fragments(grammar));
        bolero::check!()
            .with_generator(input)
            .for_each(|(edits, bytes)| {
                let _ = is_request_id(bytes);
                for value in [edited(CONTEXT, edits).as_bytes(), bytes] {
                    if let Some(read) = Traceparent::parse(value) {
                        assert_eq!(Traceparent::parse(read.as_str()), Some(read));
                    }
                }
            });
    }
}
