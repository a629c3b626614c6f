//! `files`: the files that a component can read. As in Spin, they are copied into a directory that is the root directory
//! of the component, so that the component can neither read other files nor change the originals.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::document::{ConfigError, Located, Location};

/// The files of one component.
#[derive(Clone, Debug, Default)]
pub struct FileMounts {
    root: PathBuf,
    mounts: Vec<FileMount>,
    excluded: Vec<glob::Pattern>,
}

#[derive(Clone, Debug)]
pub(crate) enum FileMount {
    /// `"assets/**/*"`: the files keep their paths below the application.
    Pattern(Located<String>),
    /// `{ source = "assets", destination = "/" }`.
    Placement {
        source: Located<String>,
        destination: PathBuf,
    },
}

// === impl FileMounts ===

impl FileMounts {
    /// Whether the component has no files and needs no directory.
    pub fn is_empty(&self) -> bool {
        self.mounts.is_empty()
    }

    /// Copies the files into a directory, which should be empty.
    ///
    /// # Errors
    /// When a file does not exist or cannot be copied, or when a pattern is malformed or leads out of the application.
    pub fn copy_into(&self, directory: &Path) -> Result<(), ConfigError> {
        for mount in &self.mounts {
            match mount {
                FileMount::Pattern(pattern) => self.copy_pattern(pattern, directory)?,
                FileMount::Placement {
                    source,
                    destination,
                } => {
                    let from = self.root.join(&source.value);
                    if from.is_dir() {
                        self.copy_matches(
                            &from.join("**/*"),
                            source,
                            &from,
                            &directory.join(destination),
                        )?;
                    } else {
                        copy(&from, &directory.join(destination), &source.at)?;
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn new(
        root: &Path,
        mounts: Vec<FileMount>,
        excluded: &[Located<String>],
    ) -> Result<Self, ConfigError> {
        let pattern = |written: &Located<String>| {
            glob::Pattern::new(&written.value).map_err(|error| malformed(written, &error))
        };
        for mount in &mounts {
            match mount {
                FileMount::Pattern(written) => pattern(written).map(drop)?,
                FileMount::Placement { source, .. } => below_root(source)?,
            }
        }
        Ok(Self {
            root: root.to_owned(),
            mounts,
            excluded: excluded.iter().map(pattern).collect::<Result<_, _>>()?,
        })
    }

    fn copy_pattern(&self, pattern: &Located<String>, directory: &Path) -> Result<(), ConfigError> {
        let path = self.root.join(&pattern.value);
        if path.is_file() {
            return copy(&path, &directory.join(&pattern.value), &pattern.at);
        }
        if path.is_dir() {
            return self.copy_matches(&path.join("**/*"), pattern, &self.root, directory);
        }
        if glob::Pattern::escape(&pattern.value) == pattern.value {
            return Err(pattern.error(
                "there is no such file",
                "correct the path, or write a pattern such as `assets/**/*`",
            ));
        }
        self.copy_matches(&path, pattern, &self.root, directory)
    }

    /// Copies the files that match a pattern to their paths below `from`.
    fn copy_matches(
        &self,
        pattern: &Path,
        written: &Located<String>,
        from: &Path,
        directory: &Path,
    ) -> Result<(), ConfigError> {
        let paths =
            glob::glob(&pattern.to_string_lossy()).map_err(|error| malformed(written, &error))?;
        for path in paths.filter_map(Result::ok).filter(|path| path.is_file()) {
            let Ok(in_application) = path.strip_prefix(&self.root) else {
                return Err(outside(written));
            };
            let excluded = self
                .excluded
                .iter()
                .any(|pattern| pattern.matches_path(in_application));
            if let (false, Ok(relative)) = (excluded, path.strip_prefix(from)) {
                copy(&path, &directory.join(relative), &written.at)?;
            }
        }
        Ok(())
    }
}

// === impl FileMount ===

impl FileMount {
    /// A source with a destination, which is absolute in the component.
    ///
    /// # Errors
    /// When the destination is not absolute or contains `..`.
    pub(crate) fn placement(
        source: Located<String>,
        destination: &Located<String>,
    ) -> Result<Self, ConfigError> {
        let path = Path::new(&destination.value);
        let climbs = path.components().any(|part| part == Component::ParentDir);
        match path.strip_prefix("/") {
            Ok(path) if !climbs => Ok(Self::Placement {
                source,
                destination: path.to_owned(),
            }),
            _ => Err(destination.error(
                "not an absolute path in the component",
                "start it with `/` and leave out `..`",
            )),
        }
    }
}

/// Checks that a source is below the directory of the manifest, as in Spin.
fn below_root(source: &Located<String>) -> Result<(), ConfigError> {
    let path = Path::new(&source.value);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if climbs || path.has_root() {
        Err(outside(source))
    } else {
        Ok(())
    }
}

fn outside(written: &Located<String>) -> ConfigError {
    written.error(
        "it leads out of the application",
        "name files below the directory of the manifest",
    )
}

fn malformed(written: &Located<String>, error: &glob::PatternError) -> ConfigError {
    written.error(
        format!("not a pattern ({})", error.msg),
        "write one such as `assets/**/*`",
    )
}

fn copy(from: &Path, to: &Path, at: &Location) -> Result<(), ConfigError> {
    let parent = to.parent().unwrap_or(to);
    let copied = fs::create_dir_all(parent).and_then(|()| fs::copy(from, to));
    copied.map(drop).map_err(|error| {
        at.error(
            format_args!("{:?}", from.display().to_string()),
            format!("cannot be copied to {} ({error})", to.display()),
            "name a file that can be read, and a state directory that can be written",
        )
    })
}
