//! A host that runs `tests/caller/spin.toml`.

use std::sync::OnceLock;

use harness::{read, root};

use crate::saboteur::Saboteur;

/// The link from the caller to the component that performs its actions.
pub const LINK: &str = "caller -> saboteur";

/// The host that tests share.
pub fn shared() -> &'static Saboteur {
    static SHARED: OnceLock<Saboteur> = OnceLock::new();
    SHARED.get_or_init(|| caller(&manifest(), &[]))
}

/// A host with this manifest.
pub fn caller(manifest: &str, arguments: &[&str]) -> Saboteur {
    Saboteur::start_application(manifest, &["saboteur", "caller", "delegate"], arguments)
}

/// The text of the manifest, which can be read from any folder.
pub fn manifest() -> String {
    let target = root().join("target").to_string_lossy().into_owned();
    read("tests/caller/spin.toml").replace("../../target", &target)
}

/// The result of an perform that the caller lets the saboteur perform.
#[track_caller]
pub fn perform(host: &Saboteur, action: &str) -> String {
    let action: String = action
        .chars()
        .map(|letter| match letter {
            '%' => "%25".to_owned(),
            '&' => "%26".to_owned(),
            letter => letter.to_string(),
        })
        .collect();
    host.call(&format!("/perform?action={action}"))
        .is(200)
        .text()
}
