//! Does every package depend only on what its layer may know? The compiler enforces what a `Cargo.toml` allows;
//! these tests restrict what it may allow.

use std::process::Command;

use harness::root;
use serde_json::{Value, json};

const CONTEXTS: [&str; 6] = [
    "car",
    "reservation",
    "payment",
    "message",
    "viewpage",
    "frontend",
];

/// Crates that the contexts share.
const SHARED_CRATES: [&str; 3] = ["events", "http-conventions", "kit"];

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

const RULES: [Rule; 7] = [
    ("only a Wasm build may name the Spin SDK", |dependency| {
        GUEST_CRATES.contains(&dependency.name.as_str())
            && dependency.target.as_deref() != Some("cfg(target_arch = \"wasm32\")")
    }),
    (
        "a context depends on the shared crates, and on no other context",
        |dependency| {
            is_context(&dependency.package)
                && dependency.is_ours()
                && !SHARED_CRATES.contains(&dependency.name.as_str())
        },
    ),
    ("a shared crate depends on no context", |dependency| {
        let allowed = if dependency.package == "kit" {
            &["events", "http-conventions", "resilience"][..]
        } else {
            &[]
        };
        SHARED_CRATES.contains(&dependency.package.as_str())
            && dependency.is_ours()
            && !allowed.contains(&dependency.name.as_str())
    }),
    (
        "the kit takes the state machine of a breaker along, and none of the runtime around it",
        |dependency| {
            dependency.package == "kit"
                && dependency.name == "resilience"
                && dependency.has_defaults
        },
    ),
    (
        "a protection knows neither Wasm nor HTTP nor the rest of the host",
        |dependency| {
            dependency.package == "resilience"
                && (dependency.is_ours()
                    || ["wasm", "hyper", "http", "redis", "rusqlite"]
                        .iter()
                        .any(|word| dependency.name.starts_with(word)))
        },
    ),
    (
        "the host runs any application: it knows no context",
        |dependency| {
            dependency.package == "socar"
                && (is_context(&dependency.name) || dependency.name == "kit")
        },
    ),
    ("only tests may depend on the tests", |dependency| {
        dependency.name == "tests"
    }),
];

impl Dependency {
    /// Whether it is a package of this workspace. Tests may use what the tested package must not.
    fn is_ours(&self) -> bool {
        let ours = is_context(&self.name)
            || SHARED_CRATES.contains(&self.name.as_str())
            || ["socar", "resilience", "tests"].contains(&self.name.as_str());
        ours && self.kind.as_deref() != Some("dev")
    }
}

fn is_context(name: &str) -> bool {
    CONTEXTS.contains(&name)
}

#[test]
fn no_package_has_a_forbidden_dependency() {
    assert_eq!(violations(&dependencies(&metadata())), [""; 0]);
}

#[test]
fn every_context_is_a_package_of_the_workspace() {
    let metadata = metadata();
    let packages: Vec<_> = packages(&metadata)
        .map(|package| package["name"].as_str().unwrap_or_default())
        .collect();
    for name in CONTEXTS
        .iter()
        .chain(&SHARED_CRATES)
        .chain(&["resilience", "socar"])
    {
        assert!(
            packages.contains(name),
            "a rule names {name}, which is no package"
        );
    }
}

#[test]
fn only_the_adapters_use_the_spin_sdk() {
    for context in CONTEXTS.iter().chain(&SHARED_CRATES) {
        for (file, source) in sources(&root().join("components").join(context).join("src")) {
            let adapter = file.contains("/src/spin.rs") || file.contains("/src/spin/");
            assert!(
                adapter || !source.contains("spin_sdk::"),
                "{file} names the Spin SDK, but is no adapter"
            );
        }
    }
}

/// Each rule must detect the dependency that it forbids.
#[test]
fn every_rule_can_be_broken() {
    let forbidden = [
        (
            "car",
            json!({"name": "spin-sdk", "kind": null, "target": null}),
        ),
        (
            "reservation",
            json!({"name": "car", "kind": null, "target": null}),
        ),
        (
            "kit",
            json!({"name": "payment", "kind": null, "target": null}),
        ),
        (
            "kit",
            json!({"name": "resilience", "kind": null, "target": null, "uses_default_features": true}),
        ),
        (
            "resilience",
            json!({"name": "wasmtime", "kind": null, "target": null}),
        ),
        (
            "socar",
            json!({"name": "car", "kind": null, "target": null}),
        ),
        (
            "socar",
            json!({"name": "tests", "kind": null, "target": null}),
        ),
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
    packages(metadata)
        .flat_map(|package| {
            let list = package["dependencies"].as_array().into_iter().flatten();
            list.map(|dependency| Dependency {
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

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
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

/// Every Rust file below a folder, with its text.
fn sources(folder: &std::path::Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                return sources(&path);
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            vec![(path.to_string_lossy().into_owned(), source)]
        })
        .collect()
}
