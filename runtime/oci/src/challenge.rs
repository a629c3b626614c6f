//! `WWW-Authenticate`: how a registry wants to be asked.

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// How a registry authenticates its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// With the user and password in each request.
    Basic,
    /// With a token of another server.
    Bearer {
        /// The address of the token server.
        realm: String,
        /// The name of the registry for the token server.
        service: Option<String>,
        /// What the token must allow.
        scope: Option<String>,
    },
}

impl Challenge {
    /// The challenge of a response; that for a token if there are several.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let values = headers.get_all(WWW_AUTHENTICATE).into_iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        let challenges: Vec<Self> = texts.flat_map(Self::parse_all).collect();
        let mut tokens = challenges.iter();
        let token = tokens.find(|it| matches!(it, Self::Bearer { .. }));
        token.or(challenges.first()).cloned()
    }

    /// The challenges of one header, which may list several.
    fn parse_all(text: &str) -> Vec<Self> {
        let mut challenges: Vec<Self> = Vec::new();
        for part in parts(text) {
            let (first, parameter) = match part.split_once(|letter: char| letter.is_whitespace()) {
                Some((scheme, parameter)) if !scheme.contains('=') => {
                    (Some(scheme), parameter.trim())
                }
                _ if !part.contains('=') => (Some(part), ""),
                _ => (None, part),
            };
            match first.map(str::to_ascii_lowercase).as_deref() {
                Some("basic") => challenges.push(Self::Basic),
                Some("bearer") => challenges.push(Self::Bearer {
                    realm: String::new(),
                    service: None,
                    scope: None,
                }),
                Some(_) => break,
                None => {}
            }
            if let (Some(challenge), Some((name, value))) =
                (challenges.last_mut(), parameter.split_once('='))
            {
                challenge.set(name.trim(), unquoted(value.trim()));
            }
        }
        challenges
    }

    fn set(&mut self, name: &str, value: String) {
        let Self::Bearer {
            realm,
            service,
            scope,
        } = self
        else {
            return;
        };
        match name.to_ascii_lowercase().as_str() {
            "realm" => *realm = value,
            "service" => *service = Some(value),
            "scope" => *scope = Some(value),
            _ => {}
        }
    }
}

/// The parts between commas outside of quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let is_comma = move |letter: char| {
        let was_escaped = is_escaped;
        is_escaped = is_quoted && letter == '\\' && !was_escaped;
        is_quoted ^= letter == '"' && !was_escaped;
        letter == ',' && !is_quoted
    };
    let parts = text.split(is_comma).map(str::trim);
    parts.filter(|part| !part.is_empty())
}

fn unquoted(value: &str) -> String {
    let quoted = value.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    match quoted {
        Some(text) => text.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn challenge(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(value));
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn the_challenges_of_real_registries_are_understood() {
        for (values, expected) in [
            (
                &[
                    r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                ][..],
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            (
                &[r#"bearer realm="https://a/token" , scope=x"#],
                bearer("https://a/token", None, Some("x")),
            ),
            (&[r#"Basic realm="Registry Realm""#], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (
                &[r#"Basic realm="a, b", Bearer realm="https://a/t",error="invalid_token""#],
                bearer("https://a/t", None, None),
            ),
            (
                &[
                    r#"Basic realm="a""#,
                    r#"Bearer realm="https://a/t?x=1",service="s \"q\"""#,
                ],
                bearer("https://a/t?x=1", Some("s \"q\""), None),
            ),
            (&["Negotiate"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(challenge(values), expected, "{values:?}");
        }
    }

    proptest::proptest! {
        /// A header of an unknown server never ends the program.
        #[test]
        fn any_header_is_read(text in "\\PC{0,60}") {
            if let Ok(value) = HeaderValue::try_from(text) {
                let mut headers = HeaderMap::new();
                headers.insert(WWW_AUTHENTICATE, value);
                let _ = Challenge::of(&headers);
            }
        }
    }
}
