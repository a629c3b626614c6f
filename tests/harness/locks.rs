//! One at a time across test binaries: they run as processes of their own, and a runner may start them side by side.

use std::fs::File;

use crate::workspace::under_target;

/// Holds the named lock until the returned file is dropped, or the process dies.
pub fn exclusively(name: &str) -> File {
    let path = under_target("locks").join(name);
    let file = File::create(&path)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
    file.lock()
        .unwrap_or_else(|error| panic!("cannot lock {}: {error}", path.display()));
    file
}
