//! Random manifests: each is read, or refused with one line that shows no secret.

use random_inputs::{edited, edits};

use super::load_with;
use crate::manifest::Overrides;

const SHIPPED: &str = include_str!("../../../../../spin.toml");

/// The line with the value of a secret variable, as a careless author writes it.
const SECRET: &str = "relay_secret = { default = \"hunter2\", secret = true }";

fn manifest() -> String {
    let line = SHIPPED
        .lines()
        .find(|line| line.starts_with("relay_secret = {"));
    SHIPPED.replace(line.expect("the secret variable"), SECRET)
}

#[test]
fn any_manifest_is_read_or_refused() {
    let manifest = manifest();
    bolero::check!().with_generator(edits()).for_each(|edits| {
        let text = edited(&manifest, edits);
        if let Err(error) = load_with(&text, &Overrides::default()) {
            let error = error.to_string();
            assert!(!error.contains('\n'), "{error}");
            let is_secret = text.lines().any(|line| line == SECRET);
            assert!(!is_secret || !error.contains("hunter2"), "{error}");
        }
    });
}
