//! Locks across test binaries, which are processes of their own and may run at the same time.

use std::fs::File;

use crate::workspace::under_target;

/// Takes the named lock; it is released when the returned file is dropped or the process ends.
pub fn exclusively(name: &str) -> File {
    let path = under_target("locks").join(name);
    let file = File::create(&path)
        .unwrap_or_else(|error| panic!("cannot create {}: {error}", path.display()));
    file.lock()
        .unwrap_or_else(|error| panic!("cannot lock {}: {error}", path.display()));
    file
}
