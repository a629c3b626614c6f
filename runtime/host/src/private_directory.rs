//! Directories and files that only this user can read.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Creates a state directory for this user only: it holds the data of the customers. An existing one keeps its
/// permissions. From now on, every file that the process creates is for this user only, too.
///
/// # Errors
/// When it cannot be created.
pub fn create(path: &Path) -> anyhow::Result<()> {
    keep_new_files_private();
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.with_context(|| {
        format!(
            "cannot create the state directory {}: choose another one with --state-dir",
            path.display()
        )
    })
}

#[expect(unsafe_code, reason = "std does not offer it")]
fn keep_new_files_private() {
    // SAFETY: the call sets a number of the process.
    unsafe {
        libc::umask(0o077);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn other_users_read_neither_the_directory_nor_its_files() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("state");
        create(&directory).unwrap();
        let file = directory.join("socar.db");
        std::fs::write(&file, "data").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&directory), mode(&file)], [0o700, 0o600]);
    }
}
