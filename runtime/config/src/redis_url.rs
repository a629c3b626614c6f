//! The address of a Redis server, checked as strictly as its client does.

use url::Url;

/// Checks an address of the form `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS.
///
/// # Errors
/// What is wrong with it. The text contains no part of the address.
pub(crate) fn check(address: &str) -> Result<(), &'static str> {
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
    let database = url.path().trim_start_matches('/');
    if !database.is_empty() && database.parse::<u32>().is_err() {
        return Err("the database behind the host is not a number");
    }
    Ok(())
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
        ] {
            assert!(check(address).is_err(), "{address}");
        }
    }
}
