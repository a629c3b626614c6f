//! A start that cannot succeed says why, where and what would be right, and leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use harness::{Mode, Platform, Process, read, root, socar};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    // Whatever else could stop the start is out of the way: the components are built.
    let _built = Platform::shared(Mode::Embedded);
    let said = refused(&read("spin.toml"), &["--listen", &address]);
    assert!(said.contains(&address) && said.contains("taken"), "{said}");
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let doctored = read("spin.toml").replace(
        "[component.car]\n",
        "[component.car]\nkey_value_store = [\"car\"]\n",
    );
    let said = refused(&doctored, &[]);
    assert!(
        said.contains("spin.toml") && said.contains("key_value_store"),
        "{said}"
    );
    assert!(
        said.contains("key_value_stores"),
        "it says what would be right: {said}"
    );
}

#[test]
fn a_missing_component_file_is_named_with_its_remedy() {
    let doctored = read("spin.toml").replace("release/payment.wasm", "release/no-such.wasm");
    let said = refused(&doctored, &[]);
    assert!(
        said.contains("no-such.wasm") && said.contains("payment") && said.contains("--build"),
        "{said}"
    );
}

#[test]
fn a_store_that_is_not_granted_is_named() {
    let _built = Platform::shared(Mode::Embedded);
    let doctored = read("spin.toml").replace("key_value_stores = [\"car\", \"car-outbox\"]\n", "");
    assert_ne!(doctored, read("spin.toml"));
    let said = refused(&doctored, &[]);
    assert!(
        said.contains("car") && said.contains("key_value_stores"),
        "{said}"
    );
}

/// Such a platform started, and answered 503 for ever.
#[test]
fn one_of_several_stores_that_is_not_granted_is_named() {
    let _built = Platform::shared(Mode::Embedded);
    let doctored = read("spin.toml").replace("[\"car\", \"car-outbox\"]", "[\"car\"]");
    assert_ne!(doctored, read("spin.toml"));
    let said = refused(&doctored, &[]);
    assert!(
        said.contains("`component.car.key_value_stores`") && said.contains("`car-outbox`"),
        "{said}"
    );
}

#[test]
fn an_address_that_is_not_granted_is_named() {
    let doctored =
        read("spin.toml").replace("allowed_outbound_hosts = [\"{{ redis_address }}\"]\n", "");
    assert_ne!(doctored, read("spin.toml"));
    let said = refused(&doctored, &[]);
    assert!(
        said.contains("`component.car.variables.redis_address`")
            && said.contains("allowed_outbound_hosts"),
        "{said}"
    );
}

#[test]
fn a_duplicate_route_is_named() {
    let doctored = read("spin.toml").replace("route = \"/payments/...\"", "route = \"/cars/...\"");
    let said = refused(&doctored, &[]);
    assert!(said.contains("/cars/..."), "{said}");
}

#[test]
fn an_undeclared_variable_is_named() {
    let said = refused(&read("spin.toml"), &["--variable", "payment_limits=5"]);
    assert!(
        said.contains("payment_limits") && said.contains("payment_limit`"),
        "{said}"
    );
}

#[test]
fn an_invalid_redis_url_is_named() {
    let said = refused(&read("spin.toml"), &["--redis-url", "http://127.0.0.1:1"]);
    assert!(said.contains("redis"), "{said}");
}

/// What `socar up` says when it gives up on this manifest.
fn refused(manifest: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("spin.toml");
    let target = root().join("target");
    let manifest = manifest.replace(
        "source = \"target/",
        &format!("source = \"{}/", target.display()),
    );
    fs::write(&file, manifest).expect("a writable folder");

    let mut command = socar();
    command.args(["up", "-f"]).arg(&file).args(arguments);
    if !arguments.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    command.arg("--state-dir").arg(folder.path().join("state"));
    let (status, said) = Process::start("socar", command, folder.path()).wait_for_exit(PATIENCE);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}
