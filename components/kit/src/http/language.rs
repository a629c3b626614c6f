//! The language of a representation, which the client chooses by `Accept-Language` (RFC 9110, 12.5.4).

use super::message::Response;
use http::{HeaderMap, HeaderValue, header};

/// A language of texts for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The first language of the product, for clients without a preference.
    Korean,
    /// English.
    English,
}

/// The weight of a language that a client accepts without a weight, in thousandths.
const FULL_WEIGHT: u16 = 1000;

impl Language {
    /// Every language, the first one of the product first.
    pub const ALL: [Self; 2] = [Self::Korean, Self::English];

    /// The language tag (RFC 5646).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Korean => "ko",
            Self::English => "en",
        }
    }

    /// The language that a client with these headers prefers: the one of the greatest weight, and of equal weights the one
    /// that the client names first. A client that accepts none of the languages gets Korean.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let lines = lines.filter_map(|line| line.to_str().ok());
        let ranges: Vec<(&str, u16)> = lines
            .flat_map(|line| line.split(','))
            .filter_map(range)
            .collect();
        let rank = |language: Self| {
            let named = ranges
                .iter()
                .position(|(range, _)| primary_subtag(range).eq_ignore_ascii_case(language.tag()));
            let position = named.or_else(|| ranges.iter().position(|(range, _)| *range == "*"))?;
            let weight = ranges[position].1;
            (weight > 0).then_some((weight, std::cmp::Reverse(position)))
        };
        let mut best = (Self::Korean, rank(Self::Korean));
        for language in Self::ALL {
            let rank = rank(language);
            if rank > best.1 {
                best = (language, rank);
            }
        }
        best.0
    }
}

/// The response, marked as one of several by language. Each language has an entity tag of its own; that of the first one is
/// the tag as it was.
#[must_use]
pub fn in_language(mut response: Response, language: Language) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_LANGUAGE,
        HeaderValue::from_static(language.tag()),
    );
    headers.append(header::VARY, HeaderValue::from_static("accept-language"));
    let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
    let opaque = tag.and_then(|tag| tag.strip_suffix('"'));
    let marked = opaque.map(|opaque| format!("{opaque}-{}\"", language.tag()));
    let marked = marked.and_then(|tag| HeaderValue::try_from(tag).ok());
    if let Some(marked) = marked.filter(|_| language != Language::Korean) {
        headers.insert(header::ETAG, marked);
    }
    response
}

/// A language range and its weight in thousandths; `None` for an element that is none.
fn range(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let weight = match weight {
        None => FULL_WEIGHT,
        Some(weight) => thousandths(weight)?,
    };
    Some((range, weight))
}

/// A weight such as `0.25` in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let weight: f32 = weight.parse().ok()?;
    let weight = (weight * f32::from(FULL_WEIGHT)).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the number is from 0 to 1000"
    )]
    (0.0..=f32::from(FULL_WEIGHT))
        .contains(&weight)
        .then_some(weight as u16)
}

fn primary_subtag(range: &str) -> &str {
    range.split('-').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn the_client_chooses_the_language() {
        use Language::{English, Korean};
        for (accepted, expected) in [
            (&[][..], Korean),
            (&[""], Korean),
            (&["ko"], Korean),
            (&["en"], English),
            (&["EN-us"], English),
            (&["ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"], Korean),
            (&["en-US,en;q=0.9,ko;q=0.8"], English),
            (&["en;q=0.5, ko;q=0.51"], Korean),
            (&["en", "ko"], English),
            (&["fr, en;q=0.1"], English),
            (&["fr"], Korean),
            (&["*"], Korean),
            (&["ko;q=0, *"], English),
            (&["en;q=0"], Korean),
            (&["en;q=2, english, -"], Korean),
        ] {
            let mut headers = HeaderMap::new();
            for line in accepted {
                headers.append(header::ACCEPT_LANGUAGE, HeaderValue::from_static(line));
            }
            assert_eq!(Language::preferred(&headers), expected, "{accepted:?}");
        }
    }

    #[test]
    fn each_language_has_an_entity_tag_of_its_own() {
        let tagged = |language| {
            let response = super::super::etag::tagged(Response::new(Bytes::new()), 3);
            let response = in_language(response, language);
            assert_eq!(response.headers()[header::VARY], "accept-language");
            assert_eq!(response.headers()[header::CONTENT_LANGUAGE], language.tag());
            response.headers()[header::ETAG].clone()
        };
        assert_eq!(tagged(Language::Korean), "\"3\"");
        assert_eq!(tagged(Language::English), "\"3-en\"");
        let untagged = in_language(Response::new(Bytes::new()), Language::English);
        assert!(!untagged.headers().contains_key(header::ETAG));
    }

    proptest::proptest! {
        #[test]
        fn any_header_has_a_language(value in "[a-z*;=,.0-9 -]{0,60}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.append(header::ACCEPT_LANGUAGE, value);
            }
            let _ = Language::preferred(&headers);
        }
    }
}
