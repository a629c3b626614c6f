//! Content negotiation: how much a client wants one of several values (RFC 9110, 12.4.2).

use http::{HeaderMap, HeaderName};

/// The greatest weight that the lines of this header give to one of these values, in lower case; 0 without one.
pub(crate) fn weight(headers: &HeaderMap, header: &HeaderName, wanted: &[&str]) -> f32 {
    let lines = headers.get_all(header).iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let weights = lines
        .flat_map(|line| line.split(','))
        .filter_map(|element| {
            let mut parts = element.split(';').map(str::trim);
            let value = parts.next()?.to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight: f32 = weight.map_or(Some(1.0), |it| it.parse().ok())?;
            wanted.contains(&value.as_str()).then_some(weight)
        });
    weights.fold(0.0, f32::max)
}
