//! Builds the components that `spin.toml` names, once, before the first test that needs them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::locks::exclusively;
use crate::workspace::{read, root};

const TARGET: &str = "wasm32-wasip2";

/// Returns when every component is built.
///
/// # Panics
/// When one cannot be built, in every test that needs it and with what the compiler stderr.
pub fn ensure_built() {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(reason) = BUILT.get_or_init(build) {
        panic!("{reason}");
    }
}

fn build() -> Result<(), String> {
    let _lock = exclusively("components");
    ensure_target()?;
    let mut command = Command::new(cargo());
    command
        .current_dir(root())
        // `spin.toml` says where the .wasm files are; a target directory chosen for this test run must not move them.
        .env_remove("CARGO_TARGET_DIR")
        .args(["build", "--release", "--target", TARGET]);
    for component in components()? {
        command.args(["-p", &component]);
    }
    run(command, "the components did not build")
}

/// The packages to build: as `[component.<id>]` in `spin.toml` names them.
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
    let libraries = query
        .output()
        .map_err(|error| format!("rustc did not start: {error}"))?;
    let libraries = String::from_utf8_lossy(&libraries.stdout);
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

fn run(mut command: Command, context: &str) -> Result<(), String> {
    let done = command
        .output()
        .map_err(|error| format!("{context}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&done.stderr);
    Err(format!("{context}: {command:?}\n{stderr}"))
}
