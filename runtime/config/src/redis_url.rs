//! The address of a Redis server, checked as strictly as its client does. The client is in the crates of the host; a test
//! there compares the two.

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The values of the parameter `protocol`.
const PROTOCOLS: [&str; 4] = ["2", "resp2", "3", "resp3"];

/// Checks an address of the form `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
///
/// # Errors
/// What is wrong with it. The text contains no part of the address.
pub fn check(address: &str) -> Result<(), &'static str> {
    let Some((scheme, rest)) = address.split_once("://") else {
        return Err("it has no scheme");
    };
    if !matches!(scheme, "redis" | "rediss") {
        return Err("the scheme is neither redis nor rediss");
    }
    if address.contains(char::is_whitespace) {
        return Err("it contains white space");
    }
    let url = Url::parse(address).map_err(|_| "the host or the port is malformed")?;
    if rest.is_empty() || url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host");
    }
    if is_wildcard(&url) {
        return Err("the host is the address of all interfaces, which no client can connect to");
    }
    let credentials = [url.username(), url.password().unwrap_or_default()];
    if credentials
        .iter()
        .any(|text| percent_decode_str(text).decode_utf8().is_err())
    {
        return Err("the user or the password is not UTF-8");
    }
    let protocol = url
        .query_pairs()
        .filter(|(name, _)| name == "protocol")
        .last();
    if protocol.is_some_and(|(_, value)| !PROTOCOLS.contains(&&*value)) {
        return Err("the protocol is neither 2 nor 3");
    }
    if scheme == "rediss" && url.fragment().is_some() {
        return Err("a `#` cannot follow an address with TLS");
    }
    let database = url.path().trim_start_matches('/');
    if !database.is_empty() && database.parse::<u32>().is_err() {
        return Err("the database behind the host is not a number");
    }
    Ok(())
}

/// Whether the host is `0.0.0.0` or `::`, at which servers listen.
fn is_wildcard(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "0.0.0.0",
        Some(Host::Ipv4(address)) => address.is_unspecified(),
        Some(Host::Ipv6(address)) => address.is_unspecified(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_the_client_can_use_is_accepted() {
        for address in [
            "redis://h",
            "rediss://u:p%40ss@h:1/2",
            "redis://:pw@[::1]:6379/",
            "redis://h?protocol=3",
            "redis://%EA%B0%80:pw@h#x",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for address in [
            "",
            "h:6379",
            "redis:/h",
            "redis://",
            "redis:///0",
            "redis://:6379",
            "redis://h:99999",
            "redis://h:x",
            "redis://h/zero",
            "redis://h/-1",
            "redis://h/0/1",
            "redis://a b",
            "redis://[::1",
            "REDIS+unix://h",
            "http://h",
            "hunter2@nowhere",
            "redis://0.0.0.0:6379",
            "redis://[::]",
            "redis://[0:0::0]:1",
            "redis://h?protocol=9",
            "redis://h?protocol=2&protocol=",
            "rediss://h/#x",
            "rediss://h#insecure",
            "redis://%ff@h",
            "redis://u:%ff@h",
        ] {
            assert!(check(address).is_err(), "{address}");
        }
    }
}
