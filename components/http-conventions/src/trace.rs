//! The headers that identify a request on its way: their names, and the forms in which they are accepted.

/// The header of the correlation id.
pub const REQUEST_ID: &str = "x-request-id";
/// The header of the W3C trace context.
pub const TRACEPARENT: &str = "traceparent";

/// Maximum length of a correlation id, in bytes. It is written to logs and events as it is.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// Whether a value is accepted as a correlation id: 1 to 128 visible ASCII characters.
#[must_use]
pub fn is_request_id(value: impl AsRef<[u8]>) -> bool {
    let value = value.as_ref();
    (1..=MAX_REQUEST_ID_LENGTH).contains(&value.len()) && value.iter().all(u8::is_ascii_graphic)
}

/// Whether a value has the form of version 00 of the trace context, with any version number but `ff`:
/// version, trace id, parent id and flags (<https://www.w3.org/TR/trace-context/#traceparent-header>).
#[must_use]
pub fn is_traceparent(value: impl AsRef<[u8]>) -> bool {
    let value = value.as_ref();
    let is_hex = |part: &[u8]| {
        part.iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_nonzero = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    value.len() == 55
        && [value[2], value[35], value[52]] == *b"---"
        && is_hex(&value[..2])
        && &value[..2] != b"ff"
        && is_hex(&value[3..35])
        && is_nonzero(&value[3..35])
        && is_hex(&value[36..52])
        && is_nonzero(&value[36..52])
        && is_hex(&value[53..])
}

/// The parts of a `traceparent` that every version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent<'a> {
    /// 32 hexadecimal digits.
    pub trace_id: &'a str,
    /// 16 hexadecimal digits.
    pub parent_id: &'a str,
    /// Whether the caller records the trace: the one flag that version 00 defines.
    pub is_sampled: bool,
}

/// Reads a `traceparent`. A version above 00 is read as far as version 00 goes and may have more parts behind it
/// (W3C Trace Context, 3.2.4); what is sent on has version 00.
#[must_use]
pub fn parse_traceparent(value: &str) -> Option<TraceParent<'_>> {
    let (known, rest) = value.split_at_checked(55)?;
    let is_version_00 = known.starts_with("00");
    let fits = rest.is_empty() || (!is_version_00 && rest.starts_with('-'));
    if !fits || !is_traceparent(known) {
        return None;
    }
    let flags = u8::from_str_radix(&known[53..], 16).ok()?;
    Some(TraceParent {
        trace_id: &known[3..35],
        parent_id: &known[36..52],
        is_sampled: flags & 1 == 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_has_up_to_128_visible_characters() {
        assert!(is_request_id("order-7") && is_request_id([b'x'; 128]));
        for malformed in ["", "a b", "a\u{7f}", "차"] {
            assert!(!is_request_id(malformed), "{malformed:?}");
        }
        assert!(!is_request_id([b'x'; 129]));
    }

    #[test]
    fn a_higher_version_is_read_as_far_as_it_is_known() {
        let known = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
        let expected = TraceParent {
            trace_id: "0af7651916cd43dd8448eb211c80319c",
            parent_id: "b7ad6b7169203331",
            is_sampled: true,
        };
        extern crate alloc;
        use alloc::format;
        for (text, is_right) in [
            (format!("00-{known}-01"), true),
            (format!("cc-{known}-09"), true),
            (format!("cc-{known}-01-what-the-future-will-be-like"), true),
            (format!("cc-{known}-01.what"), false),
            (format!("00-{known}-01-x"), false),
            (format!("ff-{known}-01"), false),
            (format!("00-{known}-0"), false),
            (format!("00-{known}-00"), false),
        ] {
            let parsed = parse_traceparent(&text);
            assert_eq!(parsed == Some(expected), is_right, "{text}: {parsed:?}");
        }
    }

    #[test]
    fn a_traceparent_has_four_parts_in_lower_case_hexadecimal() {
        assert!(is_traceparent(
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        ));
        for malformed in [
            "",
            "00",
            "00-zz-1-1",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-02",
        ] {
            assert!(!is_traceparent(malformed), "{malformed}");
        }
    }
}
