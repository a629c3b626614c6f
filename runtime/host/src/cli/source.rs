//! `-f`: a manifest in a file, or an application in a registry.

use std::path::{Path, PathBuf};

use oci::Reference;

/// Where an application comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationSource {
    /// A manifest, or the directory it is in.
    Manifest(PathBuf),
    /// A registry.
    Registry(Reference),
}

// === impl ApplicationSource ===

impl ApplicationSource {
    /// Decides as `spin up` does: a path that exists or ends with `.toml` is a manifest.
    ///
    /// # Errors
    /// When the text can only be a reference, and is malformed.
    pub fn of(from: &Path) -> anyhow::Result<Self> {
        let text = from.to_str().filter(|_| !from.exists());
        let text = text.filter(|text| !text.ends_with(".toml"));
        match text.filter(|text| Reference::is_likely(text) || text.contains([':', '@'])) {
            Some(text) => Ok(Self::Registry(Reference::parse(text)?)),
            None => Ok(Self::Manifest(from.to_owned())),
        }
    }

    /// The state directory of the application, unless the operator names one.
    pub fn default_state_dir(&self) -> PathBuf {
        let directory = match self {
            Self::Manifest(file) if file.is_file() => file.parent().unwrap_or(file),
            Self::Manifest(directory) => directory,
            Self::Registry(_) => Path::new(""),
        };
        directory.join(".socar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_is_a_file_and_what_looks_like_a_reference_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let existing = directory.path().join("app:1");
        std::fs::write(&existing, "").unwrap();
        for file in [
            existing.as_path(),
            directory.path(),
            Path::new("no/such/spin.toml"),
            Path::new("no/such/directory"),
            Path::new("localhost:5000/app.toml"),
        ] {
            let source = ApplicationSource::of(file).unwrap();
            assert_eq!(source, ApplicationSource::Manifest(file.to_owned()));
        }
        for reference in ["localhost:5000/app:1", "team/app:1", "ghcr.io/team/app"] {
            let source = ApplicationSource::of(Path::new(reference)).unwrap();
            assert!(
                matches!(source, ApplicationSource::Registry(_)),
                "{reference}"
            );
            assert_eq!(source.default_state_dir(), Path::new(".socar"));
        }
    }

    #[test]
    fn a_malformed_reference_is_not_taken_for_a_file() {
        for reference in [
            "localhost:5000/App:1",
            "ghcr.io/a@sha256:00",
            "https://ghcr.io/a",
        ] {
            let refused = ApplicationSource::of(Path::new(reference)).unwrap_err();
            assert!(refused.to_string().contains("is no reference"), "{refused}");
        }
    }

    #[test]
    fn the_state_is_beside_the_manifest() {
        let directory = tempfile::tempdir().unwrap();
        let manifest = directory.path().join("spin.toml");
        std::fs::write(&manifest, "").unwrap();
        for from in [&manifest, directory.path()] {
            let source = ApplicationSource::of(from).unwrap();
            assert_eq!(source.default_state_dir(), directory.path().join(".socar"));
        }
    }
}
