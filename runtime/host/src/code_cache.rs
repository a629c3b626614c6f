//! Cache of compiled components, in files.
//!
//! Compiled code is executed as it is read, so an entry that a power failure or a bad disk has damaged must not be used.
//! Each entry starts with a SHA-256 digest of its key and its code, which is checked in memory before the code is
//! loaded: a damaged, cut off or renamed entry counts as missing. Entries are written to a temporary file that then
//! takes the place of the old one, so that a reader sees a whole entry or none. The directory holds at most
//! [`MAX_BYTES`], apart from the code that is in use.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};
use tracing::warn;
use wasmtime::Engine;

/// The bytes that the entries of earlier versions may take together.
const MAX_BYTES: u64 = 256 << 20;

/// The length of a digest.
const DIGEST: usize = 32;

/// The end of the names of entries, and of files that are being written.
const ENTRY: &str = "code";
const TEMPORARY: &str = "tmp";

/// A cache directory.
#[derive(Clone)]
pub struct CodeCache {
    directory: PathBuf,
}

/// The name of an entry: what was compiled, by which compiler, with which settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeKey(String);

// === impl CodeKey ===

impl CodeKey {
    /// The key of a component, compiled for an engine with these settings.
    pub fn new(wasm: &[u8], engine: &Engine) -> Self {
        let mut settings = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut settings);
        let content = Sha256::digest(wasm);
        let mut key: String = content.iter().map(|byte| format!("{byte:02x}")).collect();
        key += &format!("-{:016x}", settings.finish());
        Self(key)
    }
}

// === impl CodeCache ===

impl CodeCache {
    /// A cache in this directory, which is created with the first entry.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Returns the code of an undamaged entry.
    pub fn read(&self, key: &CodeKey) -> Option<Vec<u8>> {
        let path = self.path(key);
        let mut entry = match fs::read(&path) {
            Ok(entry) => entry,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                warn!(%error, entry = %path.display(), "cached code cannot be read: it is compiled again");
                return None;
            }
        };
        let (found, code) = entry.split_at_checked(DIGEST).unwrap_or_default();
        if found != digest(key, code).as_slice() {
            warn!(entry = %path.display(), "cached code is damaged: it is compiled again");
            return None;
        }
        // Entries that are in use are the last to be removed.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        entry.drain(..DIGEST);
        Some(entry)
    }

    /// Writes an entry; a failure costs a compilation at the next start and is logged.
    pub fn write(&self, key: &CodeKey, code: &[u8]) {
        if let Err(error) = self.try_write(key, code) {
            let directory = self.directory.display();
            warn!(%error, %directory, "compiled code cannot be kept: the next start compiles it again");
        }
    }

    /// Removes the oldest entries while there are too many. Those of `used` stay.
    pub fn prune(&self, used: &BTreeSet<CodeKey>) {
        let used: BTreeSet<PathBuf> = used.iter().map(|key| self.path(key)).collect();
        let mut entries: Vec<_> = entries(&self.directory)
            .filter(|(path, ..)| !used.contains(path))
            .collect();
        entries.sort_by_key(|(_, _, modified)| *modified);
        let mut total: u64 = entries.iter().map(|(_, length, _)| length).sum();
        for (path, length, _) in entries {
            if total <= MAX_BYTES {
                break;
            }
            // Another host may have removed it.
            let _ = fs::remove_file(path);
            total -= length;
        }
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn try_write(&self, key: &CodeKey, code: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        let temporary = format!(
            "{}-{:016x}.{TEMPORARY}",
            std::process::id(),
            fastrand::u64(..)
        );
        let temporary = self.directory.join(temporary);
        let written = write_file(&temporary, &[&digest(key, code), code])
            .and_then(|()| fs::rename(&temporary, self.path(key)));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn path(&self, key: &CodeKey) -> PathBuf {
        self.directory.join(format!("{}.{ENTRY}", key.0))
    }
}

fn digest(key: &CodeKey, code: &[u8]) -> [u8; DIGEST] {
    let digest = Sha256::new().chain_update(key.0.as_bytes());
    digest.chain_update(code).finalize().into()
}

fn write_file(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_data()
}

/// The files of this cache: path, length and time of the last use.
fn entries(directory: &Path) -> impl Iterator<Item = (PathBuf, u64, SystemTime)> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| {
        let path = file.path();
        let extension = path.extension()?;
        let metadata = file.metadata().ok()?;
        let is_ours = extension == ENTRY || extension == TEMPORARY;
        is_ours.then_some((path, metadata.len(), metadata.modified().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> CodeKey {
        CodeKey(name.to_owned())
    }

    fn cache() -> (tempfile::TempDir, CodeCache) {
        let directory = tempfile::tempdir().unwrap();
        let cache = CodeCache::new(directory.path().join("cache"));
        (directory, cache)
    }

    #[test]
    fn a_damaged_entry_counts_as_missing() {
        let (_directory, cache) = cache();
        let code = vec![7; 10_000];
        assert_eq!(cache.read(&key("a")), None);
        cache.write(&key("a"), &code);
        assert_eq!(cache.read(&key("a")).as_ref(), Some(&code));
        let path = cache.path(&key("a"));
        let whole = fs::read(&path).unwrap();
        for bit in (0..whole.len() * 8).step_by(997) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, damaged).unwrap();
            assert_eq!(cache.read(&key("a")), None, "bit {bit}");
        }
        for length in [0, 1, DIGEST, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(cache.read(&key("a")), None, "length {length}");
        }
        cache.write(&key("a"), &code);
        assert_eq!(cache.read(&key("a")), Some(code));
    }

    #[test]
    fn an_entry_under_another_name_counts_as_missing() {
        let (_directory, cache) = cache();
        cache.write(&key("a"), b"code of a");
        fs::rename(cache.path(&key("a")), cache.path(&key("b"))).unwrap();
        assert_eq!(cache.read(&key("b")), None);
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_no_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let cache = CodeCache::new(file.path().join("cache"));
        cache.write(&key("a"), b"code");
        assert_eq!(cache.read(&key("a")), None);
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let (_directory, cache) = cache();
        for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
            cache.write(&key(name), b"");
            let file = File::options().write(true).open(cache.path(&key(name)));
            let file = file.unwrap();
            file.set_len(MAX_BYTES / 2 + 1).unwrap();
            let age = std::time::Duration::from_secs(100 - number as u64);
            file.set_modified(SystemTime::now() - age).unwrap();
        }
        cache.prune(&BTreeSet::from([key("a")]));
        let left: Vec<bool> = ["a", "b", "c"]
            .map(|name| cache.path(&key(name)).exists())
            .into();
        assert_eq!(left, [true, false, true]);
    }

    proptest::proptest! {
        /// Whatever a power failure or another program has made of an entry: it is whole or missing.
        #[test]
        fn any_entry_is_whole_or_missing(
            length in 0..300_usize,
            at: usize,
            overwritten in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
            cut: Option<usize>,
        ) {
            let (_directory, cache) = cache();
            let code = vec![7; length];
            cache.write(&key("a"), &code);
            let path = cache.path(&key("a"));
            let whole = fs::read(&path).unwrap();
            let mut entry = whole.clone();
            entry.truncate(at % (whole.len() + 1));
            entry.extend(&overwritten);
            entry.extend_from_slice(whole.get(entry.len()..).unwrap_or_default());
            if let Some(cut) = cut {
                entry.truncate(cut % (entry.len() + 1));
            }
            fs::write(&path, &entry).unwrap();
            let expected = (entry == whole).then_some(code);
            proptest::prop_assert_eq!(cache.read(&key("a")), expected);
        }
    }
}
