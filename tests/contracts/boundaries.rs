//! Does every package depend only on what its layer may know? The compiler enforces what a `Cargo.toml` allows; these
//! tests restrict what it may allow.

use std::process::Command;

use harness::root;
use serde_json::{Value, json};

use super::application::components;
use super::files::{files_with, relative};

/// The packages of this workspace that each package may depend on. A component of `spin.toml` may depend on
/// [`SHARED_CRATES`].
const LAYERS: [(&str, &[&str]); 13] = [
    ("access-token", &[]),
    ("events", &[]),
    ("guest-http", &[]),
    ("http-conventions", &[]),
    ("platform-token", &[]),
    (
        "kit",
        &[
            "events",
            "guest-http",
            "http-conventions",
            "platform-token",
            "resilience",
        ],
    ),
    ("resilience", &[]),
    ("storage", &[]),
    ("config", &["resilience"]),
    ("oci", &["config"]),
    ("event-log", &["resilience", "storage"]),
    ("bench", &["config"]),
    (
        "socar",
        &[
            "access-token",
            "config",
            "event-log",
            "http-conventions",
            "oci",
            "platform-token",
            "resilience",
            "storage",
        ],
    ),
];

/// The crates that components share.
const SHARED_CRATES: [&str; 4] = ["events", "guest-http", "http-conventions", "kit"];

/// The component that verifies access tokens, and the crate with the cryptography for it.
const VERIFIER: (&str, &str) = ("token-verifier", "access-token");

/// The packages that may depend on every other package.
const TESTS: [&str; 6] = [
    "tests",
    "random-inputs",
    "saboteur",
    "caller",
    "delegate",
    "adapter",
];

/// Crates with which a component calls its host.
const GUEST_CRATES: [&str; 4] = ["spin-sdk", "wasip2", "wasip3", "wit-bindgen"];

/// One dependency of a package.
#[derive(Debug)]
struct Dependency {
    package: String,
    name: String,
    /// `dev`, `build`, or nothing for a normal dependency.
    kind: Option<String>,
    /// The target that the dependency is restricted to.
    target: Option<String>,
    /// Whether the dependency has its default features.
    has_defaults: bool,
}

/// The text of a rule, and whether a dependency breaks it.
type Rule = (&'static str, fn(&Dependency) -> bool);

const RULES: [Rule; 5] = [
    ("only a Wasm build may use the Spin SDK", |dependency| {
        GUEST_CRATES.contains(&dependency.name.as_str())
            && dependency.target.as_deref() != Some("cfg(target_arch = \"wasm32\")")
    }),
    ("a component may use the shared crates only", |dependency| {
        components().contains(&dependency.package)
            && dependency.is_ours()
            && !SHARED_CRATES.contains(&dependency.name.as_str())
            && (dependency.package.as_str(), dependency.name.as_str()) != VERIFIER
    }),
    ("a package may use the layers below it only", |dependency| {
        let layer = LAYERS.iter().find(|(name, _)| *name == dependency.package);
        layer.is_some_and(|(_, allowed)| {
            dependency.is_ours() && !allowed.contains(&dependency.name.as_str())
        })
    }),
    (
        "the kit uses the breaker's state machine without the runtime around it",
        |dependency| {
            dependency.package == "kit"
                && dependency.name == "resilience"
                && dependency.has_defaults
        },
    ),
    (
        "a protection uses neither Wasm nor HTTP nor a store",
        |dependency| {
            let foreign = ["wasm", "hyper", "http", "redis", "rusqlite"];
            dependency.package == "resilience"
                && foreign.iter().any(|name| dependency.name.starts_with(name))
        },
    ),
];

impl Dependency {
    /// Whether it is a package of this workspace. Tests may use what the tested package must not.
    fn is_ours(&self) -> bool {
        is_ours(&self.name) && self.kind.as_deref() != Some("dev")
    }
}

fn is_ours(package: &str) -> bool {
    components().contains(package)
        || LAYERS.iter().any(|(name, _)| *name == package)
        || TESTS.contains(&package)
}

#[test]
fn no_package_has_a_forbidden_dependency() {
    assert_eq!(violations(&dependencies(&metadata())), [""; 0]);
}

#[test]
fn every_package_belongs_to_a_layer() {
    let metadata = metadata();
    let packages: Vec<_> = packages(&metadata)
        .filter_map(|package| package["name"].as_str())
        .collect();
    let unknown: Vec<_> = packages.iter().filter(|name| !is_ours(name)).collect();
    assert!(unknown.is_empty(), "no rule covers {unknown:?}");
    let layers = LAYERS.iter().map(|(name, _)| *name);
    let missing: Vec<_> = layers.filter(|name| !packages.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "a rule names {missing:?}, which do not exist"
    );
}

#[test]
fn only_the_adapters_use_the_spin_sdk() {
    for file in files_with(&root().join("components"), "rs") {
        let source = std::fs::read_to_string(&file).expect("a source file");
        let file = relative(&file);
        let is_adapter = file.contains("/src/spin.rs") || file.contains("/src/spin/");
        assert!(
            is_adapter || !source.contains("spin_sdk::"),
            "{file} uses the Spin SDK, but is no adapter"
        );
    }
}

/// Each rule must detect the dependency that it forbids.
#[test]
fn every_rule_can_be_broken() {
    let forbidden = [
        ("car", json!({"name": "spin-sdk"})),
        ("reservation", json!({"name": "car"})),
        ("kit", json!({"name": "payment"})),
        (
            "kit",
            json!({"name": "resilience", "uses_default_features": true}),
        ),
        ("resilience", json!({"name": "wasmtime"})),
    ];
    for ((package, dependency), (rule, _)) in forbidden.iter().zip(RULES) {
        let changed = json!({"packages": [{"name": package, "dependencies": [dependency]}]});
        let found = violations(&dependencies(&changed));
        assert!(
            found.iter().any(|violation| violation.contains(rule)),
            "`{rule}` allows {package} to use {dependency}"
        );
    }
}

fn violations(dependencies: &[Dependency]) -> Vec<String> {
    let broken = dependencies.iter().flat_map(|dependency| {
        let rules = RULES.iter().filter(|(_, broken_by)| broken_by(dependency));
        rules.map(move |(rule, _)| {
            format!("{rule}: {} uses {}", dependency.package, dependency.name)
        })
    });
    broken.collect()
}

fn dependencies(metadata: &Value) -> Vec<Dependency> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    packages(metadata)
        .flat_map(|package| {
            let list = package["dependencies"].as_array().into_iter().flatten();
            list.map(move |dependency| Dependency {
                package: text(&package["name"]).unwrap_or_default(),
                name: text(&dependency["name"]).unwrap_or_default(),
                kind: text(&dependency["kind"]),
                target: text(&dependency["target"]),
                has_defaults: dependency["uses_default_features"] == true,
            })
        })
        .collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().into_iter().flatten()
}

fn metadata() -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}
