//! Whether a path still leads to the file that a process has open.
//!
//! A file that is removed or replaced under a running process can be written as before, and everything in it is gone
//! with the process. SQLite does not notice.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// The identity of a SQLite file and of its write-ahead log.
#[derive(Debug)]
pub struct FileIdentity {
    /// The path that was given. Links on it may be changed to lead to another file.
    given: PathBuf,
    /// The path without links, which SQLite uses.
    database: PathBuf,
    inode: Inode,
    log: PathBuf,
    /// SQLite creates the log with the first write, and keeps it as long as a connection is open.
    log_inode: Mutex<Option<Inode>>,
}

/// The file was removed or replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} was removed or replaced while it is open, and nothing that is written is kept: restart the host",
    .0.display()
)]
pub struct FileLost(PathBuf);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

// === impl FileIdentity ===

impl FileIdentity {
    /// The identity of the SQLite file at this path, which a connection has open. The path may lead through symbolic links.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn of(path: &Path) -> io::Result<Self> {
        let database = path.canonicalize()?;
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        Ok(Self {
            given: std::path::absolute(path)?,
            inode: Inode::of(&database)?,
            database,
            log: log.into(),
            log_inode: Mutex::default(),
        })
    }

    /// The path of the file without symbolic links. Every connection must use it: the links may change.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// The path of the write-ahead log. SQLite keeps it beside the file, not beside a link to the file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Checks that both paths lead to the open files. It takes some microseconds.
    ///
    /// # Errors
    /// If one of them does not.
    pub fn check(&self) -> Result<(), FileLost> {
        let lost = |path: &PathBuf| Err(FileLost(path.clone()));
        match Inode::of(&self.given) {
            Ok(inode) if inode == self.inode => {}
            // Any other error, such as a missing permission, does not show that the file is gone.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {}
            _ => return lost(&self.given),
        }
        let mut known = self.log_inode.lock();
        match (Inode::of(&self.log), *known) {
            (Ok(inode), None) => *known = Some(inode),
            (Ok(inode), Some(known)) if inode != known => return lost(&self.log),
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::NotFound => {
                return lost(&self.log);
            }
            _ => {}
        }
        Ok(())
    }
}

// === impl Inode ===

impl Inode {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            number: metadata.ino(),
        })
    }
}
