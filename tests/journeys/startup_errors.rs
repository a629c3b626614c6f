//! Does a start that cannot succeed name the reason, the place and the remedy, and leave nothing behind?

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use harness::{Mode, Platform, Process, read, root, socar};

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    // The components are built first, so that only the port can prevent the start.
    let _built = Platform::shared(Mode::Embedded);
    let output = refused_start(&read("spin.toml"), &["--listen", &address]);
    assert!(
        output.contains(&address) && output.contains("in use"),
        "{output}"
    );
}

#[test]
fn an_unknown_key_is_named_with_its_file() {
    let manifest = read("spin.toml").replace(
        "[component.car]\n",
        "[component.car]\nkey_value_store = [\"car\"]\n",
    );
    let output = refused_start(&manifest, &[]);
    assert!(
        output.contains("spin.toml") && output.contains("key_value_store"),
        "{output}"
    );
    assert!(
        output.contains("key_value_stores"),
        "the remedy is missing: {output}"
    );
}

#[test]
fn a_missing_component_file_is_named_with_its_remedy() {
    let manifest = read("spin.toml").replace("release/payment.wasm", "release/no-such.wasm");
    let output = refused_start(&manifest, &[]);
    assert!(
        output.contains("no-such.wasm") && output.contains("payment") && output.contains("--build"),
        "{output}"
    );
}

/// Its components would accept every request.
#[test]
fn components_that_verify_tokens_do_not_run_on_a_host_with_identity() {
    let _built = Platform::shared(Mode::Embedded);
    let identity = [
        "--identity",
        "local",
        "--variable",
        "identity_verifier=components",
    ];
    let output = refused_start(&read("spin.toml"), &identity);
    let is_named = output.contains("identity_verifier") && output.contains("set it to host");
    assert!(is_named, "{output}");
}

#[test]
fn a_store_that_is_not_granted_is_named() {
    let _built = Platform::shared(Mode::Embedded);
    let manifest = read("spin.toml").replace("key_value_stores = [\"car\", \"car-outbox\"]\n", "");
    assert_ne!(manifest, read("spin.toml"));
    let output = refused_start(&manifest, &[]);
    assert!(
        output.contains("car") && output.contains("key_value_stores"),
        "{output}"
    );
}

/// A platform without this check would start, and answer every request with 503.
#[test]
fn one_of_several_stores_that_is_not_granted_is_named() {
    let _built = Platform::shared(Mode::Embedded);
    let manifest = read("spin.toml").replace("[\"car\", \"car-outbox\"]", "[\"car\"]");
    assert_ne!(manifest, read("spin.toml"));
    let output = refused_start(&manifest, &[]);
    assert!(
        output.contains("`component.car.key_value_stores`") && output.contains("`car-outbox`"),
        "{output}"
    );
}

#[test]
fn an_address_that_is_not_granted_is_named() {
    let manifest =
        read("spin.toml").replace("allowed_outbound_hosts = [\"{{ redis_address }}\"]\n", "");
    assert_ne!(manifest, read("spin.toml"));
    let output = refused_start(&manifest, &[]);
    assert!(
        output.contains("`component.car.variables.redis_address`")
            && output.contains("allowed_outbound_hosts"),
        "{output}"
    );
}

#[test]
fn a_duplicate_route_is_named() {
    let manifest = read("spin.toml").replace("route = \"/payments/...\"", "route = \"/cars/...\"");
    let output = refused_start(&manifest, &[]);
    assert!(output.contains("/cars/..."), "{output}");
}

#[test]
fn an_undeclared_variable_is_named() {
    let output = refused_start(&read("spin.toml"), &["--variable", "payment_limits=5"]);
    assert!(
        output.contains("payment_limits") && output.contains("payment_limit`"),
        "{output}"
    );
}

#[test]
fn an_invalid_redis_url_is_named() {
    let output = refused_start(&read("spin.toml"), &["--redis-url", "http://127.0.0.1:1"]);
    assert!(output.contains("redis"), "{output}");
}

/// The output of `socar up`, which must refuse this manifest.
fn refused_start(manifest: &str, arguments: &[&str]) -> String {
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
    let (status, output) = Process::start("socar", command, folder.path()).wait_for_exit(TIMEOUT);
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    output
}
