//! Does the platform answer as its documents say? Schemathesis makes requests from the OpenAPI document and checks every
//! answer.
//!
//! A machine without Python or PyPI cannot install it; the test then says so and checks nothing.

use std::process::Command;
use std::sync::OnceLock;

use harness::{Mode, Platform, Setup, ensure_schemathesis, root};
use serde_json::Value;

harness::journeys!(
    every_answer_is_one_that_the_document_describes,
    a_program_finds_the_api_from_its_root,
);

/// The requests of each operation and phase. More find more and take longer.
const EXAMPLES: &str = "12";

/// The same requests in every run.
const SEED: &str = "20261129";

fn every_answer_is_one_that_the_document_describes(mode: Mode) {
    static TOOL: OnceLock<Result<std::path::PathBuf, String>> = OnceLock::new();
    let tool = match TOOL.get_or_init(ensure_schemathesis) {
        Ok(tool) => tool,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let platform = Setup::new(mode).start();
    // Ids that the examples of the document name.
    let car = platform.register_car("documented");
    platform.reserve_and_confirm(&car);
    let output = Command::new(tool)
        .current_dir(platform.state_dir())
        .arg("--config-file")
        .arg(root().join("tests/schemathesis.toml"))
        .args(["run", &format!("{}/openapi.json", platform.url())])
        // A stream has no end.
        .args(["--exclude-path", "/carviews/stream"])
        // An operator who opens breakers at random leaves no platform to check.
        .args(["--exclude-path-regex", "^/operations"])
        .args([
            "--checks",
            "all",
            "--max-examples",
            EXAMPLES,
            "--seed",
            SEED,
        ])
        // DELETE of a reservation cancels it, and a cancelled reservation stays.
        .args(["--exclude-checks", "use_after_free"])
        .output()
        .unwrap_or_else(|error| panic!("schemathesis did not start: {error}"));
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn a_program_finds_the_api_from_its_root(mode: Mode) {
    let platform = Platform::shared(mode);
    let car = platform.register_car("linked");
    platform.wait_for_view(&car, &serde_json::json!({"carName": "linked"}));
    let root = platform
        .get("/")
        .header("accept", "application/hal+json")
        .send()
        .is(200);
    assert_eq!(root.header("content-type"), "application/hal+json");
    let links = root.json()["_links"].take();
    let links = links.as_object().expect("links");
    for (name, link) in links.iter().filter(|(name, _)| *name != "changes") {
        let href = link["href"].as_str().unwrap_or_default();
        let path = href.split('{').next().unwrap_or_default();
        let response = platform.get(path).send();
        assert_eq!(response.status, 200, "{name}: {response}");
    }
    let profile = platform.get("/profile/cars").send().is(200);
    assert_eq!(profile.header("content-type"), "application/alps+json");
    let openapi: Value = platform.get("/openapi.json").send().is(200).json();
    assert_eq!(openapi["openapi"], "3.1.0");
    let page = platform
        .get("/")
        .header("accept", "text/html")
        .send()
        .is(200);
    assert!(page.text().contains("<title>SOCAR</title>"));
}
