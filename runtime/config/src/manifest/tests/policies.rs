//! The file of `--policies`: what it may contain, and what it changes.

use std::fs;
use std::time::Duration;

use super::{CAR, HEAD};
use crate::manifest::{App, Overrides};

/// The application with these policies, in files `spin.toml` and `policies.toml` of a directory that errors leave out.
fn load(manifest: &str, policies: &str) -> Result<App, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::write(path("spin.toml"), manifest).expect("a manifest");
    fs::write(path("policies.toml"), policies).expect("policies");
    let overrides = Overrides {
        policies: Some(path("policies.toml")),
        ..Overrides::default()
    };
    App::load(&path("spin.toml"), &overrides).map_err(|error| {
        let directory = format!("{}/", directory.path().display());
        error.to_string().replace(&directory, "")
    })
}

fn manifest() -> String {
    let policies = "[component.car.tool.socar]\ndeadline = \"2s\"\nconcurrency = 4\n";
    format!("{HEAD}{CAR}{policies}")
}

#[test]
fn a_policy_of_the_file_takes_precedence_and_the_others_stay() {
    let policies = "[application.tool.socar]\nmemory = \"8MiB\"\n\
                    [component.car.tool.socar]\ndeadline = \"3s\"\n";
    let app = load(&manifest(), policies).unwrap_or_else(|error| panic!("{error}"));
    let policy = &app.component("car").expect("the component").policy;
    assert_eq!(policy.deadline, Duration::from_secs(3));
    assert_eq!(policy.concurrency, 4);
    assert_eq!(policy.memory, 8 << 20);
    let unchanged = load(&manifest(), "").unwrap_or_else(|error| panic!("{error}"));
    let policy = &unchanged.component("car").expect("the component").policy;
    assert_eq!(policy.deadline, Duration::from_secs(2));
}

#[test]
fn an_error_names_the_file_that_the_value_is_from() {
    let policies = "\n[component.car.tool.socar]\ndeadline = \"3 hours\"\n";
    let error = load(&manifest(), policies).expect_err("an error");
    assert!(
        error.starts_with("policies.toml:3: `component.car.tool.socar.deadline`"),
        "{error}"
    );
    let wrong = manifest().replace("concurrency = 4", "concurrency = 0");
    let error =
        load(&wrong, "[component.car.tool.socar]\ndeadline = \"3s\"\n").expect_err("an error");
    assert!(error.starts_with("spin.toml:"), "{error}");
}

#[test]
fn only_policies_of_known_components_are_accepted() {
    for (policies, expected) in [
        (
            "[component.cra.tool.socar]\ndeadline = \"3s\"",
            "policies.toml:1: `component.cra`: there is no such component; did you mean `car`?",
        ),
        (
            "[component.car]\nsource = \"other.wasm\"",
            "policies.toml:2: `component.car.source` = \"other.wasm\": unknown key; known here: `tool`",
        ),
        (
            "[variables]\nlimit = { default = \"5\" }",
            "policies.toml:1: `variables`",
        ),
    ] {
        let error = load(&manifest(), policies).expect_err("an error");
        assert!(error.starts_with(expected), "{error}");
    }
    let missing = Overrides {
        policies: Some("no-such-file.toml".into()),
        ..Overrides::default()
    };
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spin.toml");
    let error = App::load(manifest.as_ref(), &missing)
        .expect_err("an error")
        .to_string();
    assert!(error.contains("after --policies"), "{error}");
}
