//! Calls between contexts that cross a network, in a split deployment.
//!
//! The commands of a context are below `/internal/<plural>`. No route leads there from outside, so in one application
//! no caller needs a token. Over the network, the same commands are below `/<plural>/internal`, where the public route
//! of the context leads, and require a platform token that is signed with the keys in the variable [`TOKEN`]. Without keys,
//! they are absent.

use http::{Method, Uri};
use http_conventions::etag::fingerprint;

/// The variable with the signing keys that the contexts of a split deployment share.
pub const TOKEN: &str = "context_token";

/// The end of the host names of the components of one application.
const SAME_APPLICATION: &str = ".spin.internal";

/// Whether the address of a context leads out of the application.
#[must_use]
pub fn crosses_network(url: &str) -> bool {
    let uri: Result<Uri, _> = url.parse();
    let host = uri.ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_none_or(|host| !host.to_ascii_lowercase().ends_with(SAME_APPLICATION))
}

/// The path over the network of the command at `/internal/<plural>…`; `None` for any other path.
#[must_use]
pub fn network_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/internal/")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let (plural, rest) = rest.split_at(end);
    Some(format!("/{plural}/internal{rest}"))
}

/// The path of the command at `/<plural>/internal…`; `None` for any other path.
#[must_use]
pub fn command_path(path: &str, plural: &str) -> Option<String> {
    let rest = path.strip_prefix('/')?.strip_prefix(plural)?;
    let rest = rest.strip_prefix("/internal")?;
    (rest.is_empty() || rest.starts_with('/')).then(|| format!("/internal/{plural}{rest}"))
}

/// The `Idempotency-Key` of a command that is a POST; `None` for the other methods, which may be repeated without one.
///
/// Each command is idempotent by the ids that it contains, so that its content is its key. The key permits the host and
/// proxies to send the command again, on a new connection, when a pooled one turns out to be dead.
#[must_use]
pub fn idempotency_key(method: &Method, path: &str, body: &str) -> Option<String> {
    let command = format!("{path} {body}");
    let key = || format!("\"{:016x}\"", fingerprint(command.as_bytes()));
    (method == Method::POST).then(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_one_path_in_the_application_and_one_over_the_network() {
        for (internal, plural, network) in [
            ("/internal/payments", "payments", "/payments/internal"),
            ("/internal/cars/7/hold", "cars", "/cars/internal/7/hold"),
        ] {
            assert_eq!(network_path(internal).as_deref(), Some(network));
            assert_eq!(command_path(network, plural).as_deref(), Some(internal));
        }
    }

    #[test]
    fn other_paths_are_no_commands() {
        for path in [
            "/cars",
            "/cars/7",
            "/cars/internals",
            "/payments/internal",
            "/internal/cars",
        ] {
            assert_eq!(command_path(path, "cars"), None, "{path}");
        }
        assert_eq!(network_path("/cars/7"), None);
        // Neither the sweep nor a rebuild can be reached.
        let sweep = command_path("/cars/internal/sweep", "cars");
        assert_eq!(sweep.as_deref(), Some("/internal/cars/sweep"));
    }

    #[test]
    fn a_command_that_is_a_post_has_a_key_of_its_own() {
        let hold = |car: u64, reservation: u64| {
            let path = format!("/internal/cars/{car}/hold");
            let body = format!("{{\"rsvId\":{reservation}}}");
            idempotency_key(&Method::POST, &path, &body).unwrap()
        };
        assert_eq!(hold(7, 1), hold(7, 1));
        assert_ne!(hold(7, 1), hold(7, 2));
        assert_ne!(hold(7, 1), hold(8, 1));
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(idempotency_key(&method, "/internal/payments/1", ""), None);
        }
    }

    #[test]
    fn the_name_of_a_component_does_not_cross_the_network() {
        assert!(!crosses_network("http://car.spin.internal"));
        for url in [
            "http://cars.example",
            "https://car.spin.internal.example",
            "http://10.0.0.7:3000",
            "",
        ] {
            assert!(crosses_network(url), "{url}");
        }
    }
}
