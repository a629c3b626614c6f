//! The headers of requests to the collector, in the form of W3C Baggage: `name=value,name=value`, with percent-encoded
//! values.

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;

use super::{Variables, of_traces};

/// Reads the headers. Those for traces take precedence.
pub fn read(variables: &mut Variables<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let [traces, general] = of_traces("OTEL_EXPORTER_OTLP_HEADERS");
    for name in [general, traces] {
        let text = variables.get(&name).unwrap_or_default();
        let mut is_understood = pairs(&text).count() == entries(&text).count();
        for (key, value) in pairs(&text) {
            match header(&key, &value) {
                Some((key, value)) => drop(headers.insert(key, value)),
                None => is_understood = false,
            }
        }
        if !is_understood {
            // The value may be a token, whatever is wrong with it.
            let warning = format!("a part of {name} is ignored: write name=value,name=value");
            variables.warnings.push(warning);
        }
    }
    headers
}

/// The pairs of a list. An entry without a name is left out.
pub fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    entries(text).filter_map(|entry| {
        let (name, value) = entry.split_once('=')?;
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text.trim());
            decoded.decode_utf8_lossy().into_owned()
        };
        let name = decoded(name);
        (!name.is_empty()).then(|| (name, decoded(value)))
    })
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    let entries = text.split(',');
    entries.filter(|entry| !entry.trim().is_empty())
}

fn header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::try_from(name).ok()?;
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some((name, value))
}
