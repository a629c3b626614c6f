//! The content of pulled applications, in files that are named by their digests.
//!
//! A file takes its name only when its content has the digest of the name and is durable, and its digest is computed
//! again whenever an application is opened: a file that a power failure, a bad disk or another program has changed counts
//! as missing. Applications share the contents that they have in common.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tempfile::NamedTempFile;
use tracing::warn;

use crate::digest::{Digest, Hasher};
use crate::registry::BlobSink;

/// The bytes that contents which are not in use may take together.
const MAX_UNUSED_BYTES: u64 = 1 << 30;

/// How old a file is that a killed process left behind.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

const TEMPORARY: &str = ".part-";

/// A directory of contents.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A content that is being written.
pub struct CacheWriter {
    file: NamedTempFile,
    directory: PathBuf,
}

// === impl Cache ===

impl Cache {
    /// The cache in this directory, which is created with the first content.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The path of a content below the directory.
    pub fn relative_path(digest: &Digest) -> PathBuf {
        Path::new("blobs").join("sha256").join(digest.hex())
    }

    /// Whether the content is there and undamaged.
    pub fn holds(&self, digest: &Digest) -> bool {
        let path = self.path(digest);
        let found = hash(&path);
        match &found {
            Ok(found) if found == digest => {
                // Contents that are in use are the last to be removed.
                let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
                true
            }
            Ok(_) => {
                warn!(path = %path.display(), "a cached part of an application is damaged: it is fetched again");
                false
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => {
                warn!(%error, path = %path.display(), "a cached part of an application cannot be read: it is fetched again");
                false
            }
        }
    }

    /// The content; `None` when it is not there, or damaged.
    pub fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let content = fs::read(self.path(digest)).ok()?;
        (Digest::of(&content) == *digest).then_some(content)
    }

    /// Keeps a content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn store(&self, content: &[u8]) -> anyhow::Result<Digest> {
        let digest = Digest::of(content);
        if self.read(&digest).is_none() {
            let mut writer = self.writer()?;
            writer.write(content)?;
            writer.commit(&digest)?;
        }
        Ok(digest)
    }

    /// Begins a content.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn writer(&self) -> anyhow::Result<CacheWriter> {
        let directory = self.root.join("blobs").join("sha256");
        let begin = || {
            fs::create_dir_all(&directory)?;
            tempfile::Builder::new()
                .prefix(TEMPORARY)
                .tempfile_in(&directory)
        };
        Ok(CacheWriter {
            file: begin().with_context(|| not_written(&directory))?,
            directory,
        })
    }

    /// Writes a file beside the contents, in place of an older one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.root.join(name);
        let write = || {
            fs::create_dir_all(&self.root)?;
            let mut file = NamedTempFile::new_in(&self.root)?;
            file.write_all(text.as_bytes())?;
            file.persist(&path)?;
            io::Result::Ok(())
        };
        write().with_context(|| not_written(&self.root))?;
        Ok(path)
    }

    /// Removes the oldest files while there are too many, and those that killed processes left behind. The contents in
    /// `used` stay.
    pub fn prune(&self, used: &BTreeSet<Digest>) {
        let used: BTreeSet<&str> = used.iter().map(Digest::hex).collect();
        let blobs = self.root.join("blobs").join("sha256");
        let mut files: Vec<_> = files(&blobs).chain(files(&self.root)).collect();
        files.retain(|file| !used.contains(file.name.split('.').next().unwrap_or_default()));
        files.sort_by_key(|file| file.modified);
        let mut total: u64 = files.iter().map(|file| file.length).sum();
        for file in files {
            let age = file.modified.elapsed().unwrap_or_default();
            let is_abandoned = file.name.starts_with('.') && age > ABANDONED;
            if total > MAX_UNUSED_BYTES || is_abandoned {
                // Another process may have removed it.
                let _ = fs::remove_file(file.path);
                total -= file.length;
            }
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(Self::relative_path(digest))
    }
}

// === impl CacheWriter ===

impl CacheWriter {
    /// Makes the content durable, and gives it its name. The caller has checked its digest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn commit(self, digest: &Digest) -> anyhow::Result<()> {
        let Self { file, directory } = self;
        let path = directory.join(digest.hex());
        let commit = || {
            file.as_file().sync_all()?;
            file.persist(path)?;
            File::open(&directory)?.sync_all()
        };
        commit().with_context(|| not_written(&directory))
    }
}

impl BlobSink for CacheWriter {
    fn write(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(piece);
        written.with_context(|| not_written(&self.directory))
    }
}

fn not_written(directory: &Path) -> String {
    format!(
        "cannot keep a part of the application in {}: free space, or choose another directory with --state-dir",
        directory.display()
    )
}

fn hash(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::default();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(&piece[..length]),
        }
    }
}

struct CachedFile {
    path: PathBuf,
    name: String,
    length: u64,
    modified: SystemTime,
}

fn files(directory: &Path) -> impl Iterator<Item = CachedFile> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        Some(CachedFile {
            name: entry.file_name().into_string().ok()?,
            path: entry.path(),
            length: metadata.len(),
            modified: metadata.modified().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::new(directory.path().join("registry"));
        (directory, cache)
    }

    #[test]
    fn a_damaged_content_counts_as_missing() {
        let (_directory, cache) = cache();
        let content = vec![7; 10_000];
        let digest = cache.store(&content).unwrap();
        assert!(cache.holds(&digest));
        assert_eq!(cache.read(&digest), Some(content.clone()));
        for damaged in [&content[1..], &[8; 10_000], b""] {
            fs::write(cache.path(&digest), damaged).unwrap();
            assert!(!cache.holds(&digest));
            assert_eq!(cache.read(&digest), None);
        }
        assert_eq!(cache.store(&content).unwrap(), digest);
        assert!(cache.holds(&digest));
    }

    #[test]
    fn a_content_that_is_not_complete_has_no_name() {
        let (_directory, cache) = cache();
        let mut writer = cache.writer().unwrap();
        writer.write(b"half").unwrap();
        let blobs = cache.root().join("blobs/sha256");
        assert_eq!(files(&blobs).count(), 1);
        drop(writer);
        assert_eq!(files(&blobs).count(), 0);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_named_with_its_remedy() {
        let file = NamedTempFile::new().unwrap();
        let cache = Cache::new(file.path().join("registry"));
        let error = cache.store(b"content").unwrap_err().to_string();
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
        assert!(error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn the_oldest_contents_make_room() {
        let (_directory, cache) = cache();
        let mut digests = Vec::new();
        for (number, content) in ["a", "b", "c"].into_iter().enumerate() {
            let digest = cache.store(content.as_bytes()).unwrap();
            let file = File::options().write(true).open(cache.path(&digest));
            let file = file.unwrap();
            file.set_len(MAX_UNUSED_BYTES / 2 + 1).unwrap();
            let age = Duration::from_secs(100 - number as u64);
            file.set_modified(SystemTime::now() - age).unwrap();
            digests.push(digest);
        }
        let abandoned = cache.root().join("blobs/sha256/.part-1");
        fs::write(&abandoned, "half").unwrap();
        let old = SystemTime::now() - 2 * ABANDONED;
        let file = File::options().write(true).open(&abandoned).unwrap();
        file.set_modified(old).unwrap();
        cache.prune(&BTreeSet::from([digests[0].clone()]));
        let left = digests.iter().map(|digest| cache.path(digest).exists());
        assert_eq!(left.collect::<Vec<_>>(), [true, false, true]);
        assert!(!abandoned.exists());
    }
}
