//! The hosts that an entry of `allowed_outbound_hosts` allows.

use super::{app, load_with};
use crate::manifest::tests::messages::in_car;
use crate::manifest::{AllowedHosts, App, Overrides};

fn allowed(entry: &str) -> AllowedHosts {
    hosts(app(&format!("allowed_outbound_hosts = [\"{entry}\"]")))
}

/// The hosts of a car that lists `{{ url }}` with this value.
fn allowed_by_variable(value: &str) -> AllowedHosts {
    hosts(app(&format!(
        "allowed_outbound_hosts = [\"{{{{ url }}}}\"]\n[variables]\nurl = {{ default = \"{value}\" }}"
    )))
}

fn hosts(app: App) -> AllowedHosts {
    app.component("car")
        .map(|car| car.allowed_outbound_hosts.clone())
        .unwrap_or_default()
}

#[test]
fn an_entry_allows_only_its_hosts() {
    for (entry, yes, no) in [
        (
            "http://example.com",
            &["http://example.com", "http://EXAMPLE.com:80/path?query"][..],
            &[
                "https://example.com",
                "http://example.com:8080",
                "http://www.example.com",
                "redis://example.com",
            ][..],
        ),
        (
            "https://*.example.com:*",
            &["https://a.example.com", "https://a.b.example.com:8443"],
            &[
                "https://example.com",
                "https://notexample.com",
                "http://a.example.com",
            ],
        ),
        (
            "*://localhost:8000..8010",
            &["http://localhost:8000", "redis://localhost:8009"],
            &[
                "http://localhost:8010",
                "http://localhost",
                "http://127.0.0.1:8000",
            ],
        ),
        (
            "redis://127.0.0.1:6379",
            &[
                "redis://127.0.0.1",
                "redis://127.0.0.1:6379/2",
                "redis://user:word@127.0.0.1:6379",
            ],
            &[
                "redis://localhost:6379",
                "redis://127.0.0.2",
                "rediss://127.0.0.1:6379",
            ],
        ),
        (
            "http://10.0.0.0/8:*",
            &["http://10.1.2.3", "http://10.255.0.1:99"],
            &[
                "http://11.0.0.1",
                "http://ten.example.com",
                "http://[::a00:1]",
            ],
        ),
        (
            "http://[2001:db8::1]:8080",
            &["http://[2001:db8::1]:8080"],
            &["http://[2001:db8::2]:8080", "http://[2001:db8::1]"],
        ),
        (
            "http://2001:db8::/32",
            &["http://[2001:db8:1::5]"],
            &["http://[2001:db9::1]", "http://32.1.13.184"],
        ),
        (
            "http://2001:db8::/32:8080",
            &["http://[2001:db8:1::5]:8080"],
            &["http://[2001:db8:1::5]"],
        ),
        (
            "http://0.0.0.0/0:*",
            &["http://1.2.3.4", "http://255.255.255.255:9"],
            &["http://[::1]"],
        ),
        (
            "*://*:*",
            &[
                "http://anything",
                "mqtt://1.2.3.4:1",
                "http://car.spin.internal",
                "http://self.alt",
            ],
            &[],
        ),
        (
            "http://self",
            &["http://self.alt", "http://self"],
            &["https://self.alt", "http://localhost"],
        ),
        ("https://example.com/", &["https://example.com"], &[]),
    ] {
        let allowed = allowed(entry);
        for url in yes {
            assert!(allowed.allows_url(url, "http"), "{entry} must allow {url}");
        }
        for url in no {
            assert!(
                !allowed.allows_url(url, "http"),
                "{entry} must not allow {url}"
            );
        }
    }
}

#[test]
fn a_host_without_an_entry_is_denied() {
    let nothing = hosts(app(""));
    assert!(nothing.is_empty());
    for url in [
        "http://car.spin.internal",
        "http://self.alt",
        "http://127.0.0.1",
        "redis://127.0.0.1:6379",
    ] {
        assert!(!nothing.allows_url(url, "http"), "{url}");
    }
}

#[test]
fn a_malformed_address_is_denied() {
    let everything = allowed("*://*:*");
    assert!(!everything.allows_url("http://example.com:port", "http"));
    assert!(
        everything.allows_url("example.com:99", "redis"),
        "a bare host has the scheme of the interface"
    );
}

#[test]
fn a_chained_host_is_checked_with_its_scheme_and_port() {
    let allowed = allowed("http://car.spin.internal");
    assert!(allowed.allows("http", "car.spin.internal", None));
    assert!(allowed.allows("http", "car.spin.internal", Some(80)));
    assert!(!allowed.allows("https", "car.spin.internal", None));
    assert!(!allowed.allows("http", "car.spin.internal", Some(9999)));
    assert!(!allowed.allows("http", "payment.spin.internal", None));
    assert_eq!(allowed.components().collect::<Vec<_>>(), ["car"]);
}

#[test]
fn the_chaining_wildcard_allows_the_components_of_the_manifest() {
    let app = app(
        "allowed_outbound_hosts = [\"http://*.spin.internal\"]\n[component.payment]\nsource = \"p.wasm\"",
    );
    let allowed = hosts(app);
    assert_eq!(allowed.components().collect::<Vec<_>>(), ["car", "payment"]);
    assert!(!allowed.allows("http", "other.spin.internal", None));
}

#[test]
fn an_empty_template_allows_no_host() {
    for nothing in ["", "http://", "https://"] {
        assert!(allowed_by_variable(nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn a_template_with_a_url_allows_its_origin() {
    for url in [
        "http://gateway:9000/payments",
        "http://gateway:9000/",
        "http://me:secret@gateway:9000/a/b?c",
    ] {
        let allowed = allowed_by_variable(url);
        assert!(allowed.allows("http", "gateway", Some(9000)), "{url}");
        assert!(!allowed.allows("http", "gateway", None), "{url}");
    }
}

#[test]
fn a_templated_component_must_exist_but_need_not_be_selected() {
    let text = in_car(
        "allowed_outbound_hosts = [\"{{ url }}\"]\n[component.payment]\nsource = \"p.wasm\"\n[variables]\nurl = { default = \"http://payment.spin.internal\" }",
    );
    let with = |variables: &[&str]| Overrides {
        components: vec!["car".to_owned()],
        variables: variables.iter().map(|text| (*text).to_owned()).collect(),
        ..Overrides::default()
    };
    assert!(load_with(&text, &with(&[])).is_ok());
    assert!(load_with(&text, &with(&["url=http://elsewhere.example.com"])).is_ok());
    assert!(load_with(&text, &with(&["url=http://paymnt.spin.internal"])).is_err());
}

#[test]
fn a_variable_may_contain_an_address_that_is_displayed_or_allowed() {
    for (allowed, value) in [
        ("", "https://shop.example/cars"),
        ("", "redis"),
        ("", ""),
        ("http://*.spin.internal", "http://car.spin.internal/cars"),
        ("redis://*:*", "redis://user:word@127.0.0.1:6380/2"),
        ("*://*:*", "rediss://cache.example"),
    ] {
        let list = match allowed {
            "" => String::new(),
            entry => format!("\"{entry}\""),
        };
        app(&format!(
            "allowed_outbound_hosts = [{list}]\nvariables = {{ address = \"{value}\" }}"
        ));
    }
}
