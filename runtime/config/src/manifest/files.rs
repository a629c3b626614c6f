//! `files`: the files that a component can read. As in Spin, they are copied into a directory that is the root directory
//! of the component, so that the component can neither read other files nor change the originals. A file outside of the
//! application is never read, whichever way its path is written: the place to which a path leads is compared, after all
//! symbolic links. The state of the host is not part of the application, also where its directory is below it.

use std::fs;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use crate::document::{ConfigError, Located, Location};

/// The files of one component.
#[derive(Clone, Debug, Default)]
pub struct FileMounts {
    root: PathBuf,
    mounts: Vec<FileMount>,
    excluded: Vec<glob::Pattern>,
}

/// The copy of all files into one directory.
struct FileCopy<'a> {
    mounts: &'a FileMounts,
    /// Where the application and the state of the host are, after all symbolic links.
    root: Option<PathBuf>,
    state: Option<PathBuf>,
    directory: &'a Path,
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

    /// Copies the files into a directory, which should be empty. Files below `state`, the state directory of the host,
    /// are left out.
    ///
    /// # Errors
    /// When a file does not exist or cannot be copied, or when a pattern is malformed or leads out of the application.
    pub fn copy_into(&self, directory: &Path, state: &Path) -> Result<(), ConfigError> {
        let root = self.root.canonicalize().ok();
        let state = state.canonicalize().ok();
        let copy = FileCopy {
            mounts: self,
            // An application below the state directory holds nothing of it.
            state: state.filter(|state| !root.as_ref().is_some_and(|root| root.starts_with(state))),
            root,
            directory,
        };
        for mount in &self.mounts {
            match mount {
                FileMount::Pattern(pattern) => copy.pattern(pattern)?,
                FileMount::Placement {
                    source,
                    destination,
                } => {
                    let from = self.root.join(&source.value);
                    if from.is_dir() {
                        copy.matches(&from.join("**/*"), source, &from, destination)?;
                    } else {
                        copy.file(&from, destination, source)?;
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
                FileMount::Pattern(written) => {
                    pattern(written)?;
                    below_root(written)?;
                }
                FileMount::Placement { source, .. } => below_root(source)?,
            }
        }
        Ok(Self {
            root: root.to_owned(),
            mounts,
            excluded: excluded.iter().map(pattern).collect::<Result<_, _>>()?,
        })
    }
}

// === impl FileCopy ===

impl FileCopy<'_> {
    fn pattern(&self, pattern: &Located<String>) -> Result<(), ConfigError> {
        let root = &self.mounts.root;
        let path = root.join(&pattern.value);
        if path.is_file() {
            return self.file(&path, Path::new(&pattern.value), pattern);
        }
        if path.is_dir() {
            return self.matches(&path.join("**/*"), pattern, root, Path::new(""));
        }
        if glob::Pattern::escape(&pattern.value) == pattern.value {
            return Err(pattern.error(
                "there is no such file",
                "correct the path, or write a pattern such as `assets/**/*`",
            ));
        }
        self.matches(&path, pattern, root, Path::new(""))
    }

    /// Copies the files that match a pattern to their paths below `from`.
    fn matches(
        &self,
        pattern: &Path,
        written: &Located<String>,
        from: &Path,
        destination: &Path,
    ) -> Result<(), ConfigError> {
        let pattern = glob::Pattern::new(&pattern.to_string_lossy())
            .map_err(|error| malformed(written, &error))?;
        // The list is complete before the first copy, so that no copy is copied again.
        let paths: Vec<PathBuf> = matching(&pattern).collect();
        for path in &paths {
            let Ok(in_application) = path.strip_prefix(&self.mounts.root) else {
                return Err(outside(written));
            };
            let excluded = &self.mounts.excluded;
            let is_excluded = excluded
                .iter()
                .any(|pattern| pattern.matches_path(in_application));
            if let (false, Ok(relative)) = (is_excluded, path.strip_prefix(from)) {
                self.file(path, &destination.join(relative), written)?;
            }
        }
        Ok(())
    }

    fn file(&self, from: &Path, to: &Path, written: &Located<String>) -> Result<(), ConfigError> {
        // A file that does not exist is reported by the copy.
        let place = from.canonicalize().ok();
        let is_below = |directory: &Option<PathBuf>| match (&place, directory) {
            (Some(place), Some(directory)) => place.starts_with(directory),
            _ => false,
        };
        if is_below(&self.state) {
            return Ok(());
        }
        if place.is_some() && !is_below(&self.root) {
            return Err(outside(written));
        }
        copy(from, &self.directory.join(to), &written.at)
    }
}

/// The files that match a pattern. A symbolic link that leads back to a directory above it is not followed: each file below
/// would match again and again.
fn matching(pattern: &glob::Pattern) -> impl Iterator<Item = PathBuf> {
    const OPTIONS: glob::MatchOptions = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let is_literal = |part: &Component<'_>| {
        let part = part.as_os_str().to_string_lossy();
        glob::Pattern::escape(&part) == part
    };
    let fixed: PathBuf = Path::new(pattern.as_str())
        .components()
        .take_while(is_literal)
        .collect();
    let entries = WalkDir::new(fixed).follow_links(true).into_iter();
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| pattern.matches_path_with(path, OPTIONS))
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

/// Checks that a path or pattern is below the directory of the manifest, as in Spin.
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
