//! Do the host and the components make the same decision about every access token? `socar` verifies tokens itself; on stock
//! Spin, the built components do, with the component `token-verifier`. Here `socar` runs them as stock Spin does: the host
//! is open, and the variable `identity_verifier` says that the components verify.

use access_token::vectors::{AUDIENCE, VectorKeys, Vectors};
use harness::{Mode, Platform, Response, Setup, TokenIssuer, eventually, platform_authorization};
use http::Method;

/// The collection of each context.
const COLLECTIONS: [&str; 5] = [
    "/cars",
    "/reservations",
    "/payments",
    "/messages",
    "/carviews",
];

/// The key with which parts of the platform sign.
const KEY: &str = "key-of-the-contexts";

/// The headers of a refusal that clients rely on. Which pages may read an answer is a policy of each host.
const HEADERS: [&str; 3] = ["content-type", "www-authenticate", "retry-after"];

/// One platform whose host verifies, and one whose components do.
struct Verifiers {
    host: Platform,
    components: Platform,
    vectors: Vectors,
    _issuer: TokenIssuer,
}

// === impl Verifiers ===

impl Verifiers {
    fn start() -> Self {
        let issuer = TokenIssuer::start();
        let keys = VectorKeys::new();
        issuer.serve_keys(&keys.public_set());
        let host = Setup::new(Mode::Embedded)
            .argument("--identity")
            .argument(&issuer.url())
            .argument("--audience")
            .argument(AUDIENCE);
        let components = Setup::new(Mode::Embedded);
        let components = components.verified_by_components(&issuer.url(), &keys.public_set());
        let [host, components] =
            [host, components].map(|setup| setup.variable("context_token", KEY).start());
        Self {
            host,
            components,
            // The start of the hosts may take longer than the tokens stay what they are.
            vectors: Vectors::signed_by(&keys, &issuer.url(), AUDIENCE),
            _issuer: issuer,
        }
    }

    /// The status of a request with these values of `Authorization`, after a comparison of both answers.
    fn status(&self, name: &str, method: &Method, path: &str, authorization: &[&str]) -> u16 {
        let [host, components] = [&self.host, &self.components].map(|platform| {
            let request = platform.request(method.clone(), path);
            let request = request.header("socar-principal", "operator mallory");
            let values = authorization.iter();
            values
                .fold(request, |request, value| {
                    request.header("authorization", value)
                })
                .send()
        });
        assert_eq!(
            decision(&host),
            decision(&components),
            "{name}: {method} {path}"
        );
        host.status
    }
}

/// What an answer says of the token: a resource has other links on each platform.
fn decision(response: &Response) -> (u16, Vec<Option<String>>, String) {
    let is_refused = response.status >= 400;
    let headers = HEADERS.iter().filter(|_| is_refused);
    let headers = headers.map(|name| response.optional_header(name).map(str::to_owned));
    let text = if is_refused {
        response.text()
    } else {
        String::new()
    };
    (response.status, headers.collect(), text)
}

#[test]
fn the_host_and_the_components_decide_alike_about_every_token() {
    let verifiers = Verifiers::start();
    for vector in &verifiers.vectors.tokens {
        // Without a token, the space after the scheme is no part of the value.
        let expected = match vector.expected {
            Ok(()) => 200,
            Err(_) => 401,
        };
        let authorization = format!("Bearer {}", vector.token);
        let status = verifiers.status(&vector.name, &Method::GET, "/cars", &[authorization.trim()]);
        assert_eq!(status, expected, "{}", vector.name);
    }
    let accepted = format!("Bearer {}", verifiers.vectors.accepted().token);
    let without_role = format!("Bearer {}", verifiers.vectors.without_role);
    for path in COLLECTIONS {
        for (authorization, expected) in [
            (&[accepted.as_str()][..], 200),
            (&[without_role.as_str()], 403),
            (&["Bearer a.b.c"], 401),
            (&["Basic YWxpY2U6cw=="], 401),
            (&["Bearer"], 401),
            (&[&accepted, "Bearer x"], 401),
            (&[], 401),
        ] {
            let name = authorization.join(", ");
            let status = verifiers.status(&name, &Method::GET, path, authorization);
            assert_eq!(status, expected, "{path} {name}");
        }
        let options = verifiers.status("a preflight", &Method::OPTIONS, path, &[]);
        assert_eq!(options, 204);
    }
    // Tokens of the platform, for the called context and for another one.
    for (context, path, expected) in [("car", "/cars", 200), ("car", "/payments", 401)] {
        let token = platform_authorization(KEY, context);
        let status = verifiers.status("of the platform", &Method::GET, path, &[&token]);
        assert_eq!(status, expected, "{context} {path}");
    }
    for path in ["/", "/assets/icon.svg"] {
        assert_eq!(verifiers.status("the page", &Method::GET, path, &[]), 200);
    }
    for path in ["/no/such/path", "/internal/cars/1/hold"] {
        assert_eq!(verifiers.status("no route", &Method::GET, path, &[]), 404);
    }
}

#[test]
fn settings_without_which_no_token_can_be_verified_refuse_every_request() {
    let issuer = TokenIssuer::start();
    let vectors = Vectors::new(&issuer.url(), AUDIENCE);
    let without_keys = Setup::new(Mode::Embedded).verified_by_components(&issuer.url(), "");
    let without_issuer = Setup::new(Mode::Embedded).verified_by_components("", &vectors.keys);
    let malformed = Setup::new(Mode::Embedded).verified_by_components(&issuer.url(), "{\"keys\":");
    for setup in [without_keys, without_issuer, malformed] {
        let platform = setup.start();
        let alice = platform.with_token(&vectors.accepted().token);
        for path in COLLECTIONS {
            let refused = alice.get(path).send();
            refused.problem(503, "identity-unavailable");
            refused.assert_retry_later();
            platform.get(path).send().problem(401, "token-required");
        }
        eventually(
            || platform.output(),
            |log| log.contains("set the variables identity_issuer"),
        );
    }
}
