//! The meaning of valid manifests, and the errors of invalid ones.

use std::path::Path;

use super::{App, Overrides};
use crate::document::ConfigError;

mod app;
mod dependencies;
mod files;
mod hosts;
mod messages;
mod policies;
mod random;
mod routes;
mod variables;

/// The smallest manifest that stock Spin and socar accept; tests append their own tables.
const HEAD: &str = "spin_manifest_version = 2\napplication.name = \"shop\"\n";

/// A component `car` on a route of its own.
const CAR: &str = r#"
[[trigger.http]]
route = "/cars/..."
component = "car"
[component.car]
source = "car.wasm"
"#;

fn load_with(text: &str, overrides: &Overrides) -> Result<App, ConfigError> {
    App::from_text(Path::new("spin.toml"), text, overrides)
}

/// The head, the car, and a text that continues `[component.car]`.
fn load(more: &str) -> Result<App, ConfigError> {
    load_with(&format!("{HEAD}{CAR}{more}"), &Overrides::default())
}

/// An application that must load.
fn app(more: &str) -> App {
    load(more).unwrap_or_else(|error| panic!("{error}"))
}
