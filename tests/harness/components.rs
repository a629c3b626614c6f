//! Builds the components once, before the first test that needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::locks::exclusively;
use crate::workspace::{read, root};

const TARGET: &str = "wasm32-wasip2";

/// Builds every component that `spin.toml` names, unless they are built.
///
/// # Panics
/// When a component cannot be built: in every test that needs the components, with the compiler's output.
pub fn ensure_built() {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build(&components()?));
    if let Err(reason) = built {
        panic!("{reason}");
    }
}

/// Builds one more component, which `spin.toml` does not name.
///
/// # Panics
/// When it cannot be built, with the compiler's output.
pub fn build_component(package: &str) {
    build(&[package.to_owned()]).unwrap_or_else(|reason| panic!("{reason}"));
}

/// Builds the context that is written in Python.
///
/// # Errors
/// The reason why this machine cannot build it: no Python, or no package index.
pub fn build_insight() -> Result<(), String> {
    let _lock = exclusively("insight");
    run(
        Command::new(root().join("components/insight/build")),
        "the context in Python did not build",
    )
}

fn build(packages: &[String]) -> Result<(), String> {
    let _lock = exclusively("components");
    ensure_target()?;
    let mut command = Command::new(cargo());
    command
        .current_dir(root())
        // `spin.toml` names the .wasm files; a target directory chosen for this test run must not move them.
        .env_remove("CARGO_TARGET_DIR")
        .args(["build", "--release", "--target", TARGET]);
    for package in packages {
        command.args(["-p", package]);
    }
    run(command, "the components did not build")
}

/// The packages to build: the ids of `[component.<id>]` in `spin.toml`.
fn components() -> Result<Vec<String>, String> {
    let manifest: toml::Table = read("spin.toml")
        .parse()
        .map_err(|error| format!("spin.toml: {error}"))?;
    let components = manifest
        .get("component")
        .and_then(toml::Value::as_table)
        .ok_or("spin.toml names no component")?;
    Ok(components.keys().cloned().collect())
}

fn ensure_target() -> Result<(), String> {
    let mut query = Command::new("rustc");
    query
        .current_dir(root())
        .args(["--print", "target-libdir", "--target", TARGET]);
    let output = query
        .output()
        .map_err(|error| format!("rustc did not start: {error}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout);
    if PathBuf::from(libraries.trim()).is_dir() {
        return Ok(());
    }
    let mut command = Command::new("rustup");
    command.current_dir(root()).args(["target", "add", TARGET]);
    run(
        command,
        "the target wasm32-wasip2 is missing and rustup could not add it",
    )
}

fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

fn run(mut command: Command, failure: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{failure}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{failure}: {command:?}\n{stderr}"))
}
