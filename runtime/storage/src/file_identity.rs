//! Whether the files that a process has open are still those at their paths, with what was written to them.
//!
//! A file that is removed or replaced under a running process can be written as before, and everything in it is gone
//! with the process. A write-ahead log that another program truncates is written behind its end, and is unreadable after
//! the process. SQLite notices neither. It empties the log itself, too, so a short log alone is no sign of a loss.
//!
//! A database file that is overwritten in place is not noticed, unless it is empty: SQLite changes its content and its
//! length itself, at any time.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// The length of the header of a log, and of the header of each of its pages, in bytes.
const LOG_HEADER_BYTES: u64 = 32;
const PAGE_HEADER_BYTES: u64 = 24;

/// The identity of a SQLite file and of its write-ahead log.
#[derive(Debug)]
pub struct FileIdentity {
    /// The path that was given. Links on it may be changed to lead to another file.
    given: PathBuf,
    /// The path without links, which SQLite uses.
    database: PathBuf,
    inode: Inode,
    log: PathBuf,
    state: Mutex<FileState>,
}

/// What the looks at the files have found.
#[derive(Debug, Default)]
struct FileState {
    /// SQLite creates the log with the first write, and keeps it as long as a connection is open.
    log: Option<OpenLog>,
    /// The first file that was truncated. What was in it stays lost, although SQLite may write the file again.
    truncated: Option<PathBuf>,
}

#[derive(Debug)]
struct OpenLog {
    file: File,
    inode: Inode,
    /// Whether a look has found a header. A log from before a power failure may have none until the first write.
    had_header: bool,
    /// The length at the latest look, in bytes.
    length: u64,
}

/// Another program has taken a file away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileLost {
    /// The file was removed or replaced.
    #[error(
        "{} was removed or replaced while it is open, and nothing that is written is kept: restart the host",
        .0.display()
    )]
    Removed(PathBuf),
    /// The file was truncated.
    #[error(
        "{} was truncated while it is open, and nothing that is written is kept: restart the host",
        .0.display()
    )]
    Truncated(PathBuf),
}

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
            inode: Inode::of(&fs::metadata(&database)?),
            database,
            log: log.into(),
            state: Mutex::default(),
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

    /// Checks that both paths lead to the open files, and that the log has kept its header. It takes some microseconds.
    ///
    /// A truncated log is noticed after the next write, or by [`FileIdentity::check_log`].
    ///
    /// # Errors
    /// If one of them does not, or a truncated file was noticed earlier.
    pub fn check(&self) -> Result<(), FileLost> {
        self.check_latest()?;
        let mut state = self.state.lock();
        match fs::metadata(&self.given) {
            Ok(file) if Inode::of(&file) != self.inode => {
                return Err(FileLost::Removed(self.given.clone()));
            }
            // A database with a write-ahead log has at least one page.
            Ok(file) if file.len() == 0 => return Err(state.truncated(&self.database)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(FileLost::Removed(self.given.clone()));
            }
            // Any other error, such as a missing permission, does not show that the file is gone.
            Ok(_) | Err(_) => {}
        }
        match (fs::metadata(&self.log), &state.log) {
            (Ok(_), None) => state.log = OpenLog::open(&self.log).ok(),
            (Ok(file), Some(log)) if Inode::of(&file) != log.inode => {
                return Err(FileLost::Removed(self.log.clone()));
            }
            (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => {
                return Err(FileLost::Removed(self.log.clone()));
            }
            _ => {}
        }
        match state.log.as_mut().is_none_or(OpenLog::keeps_header) {
            true => Ok(()),
            false => Err(state.truncated(&self.log)),
        }
    }

    /// Checks that no look so far has found a truncated file. It does not look itself.
    ///
    /// # Errors
    /// If one has.
    pub fn check_latest(&self) -> Result<(), FileLost> {
        let truncated = self.state.lock().truncated.clone();
        truncated.map_or(Ok(()), |path| Err(FileLost::Truncated(path)))
    }

    /// Checks that the log has all pages that SQLite will read from it. `connection` is one to the file. No statement is
    /// executed unless the log has become shorter.
    ///
    /// # Errors
    /// If pages are missing, or a truncated file was noticed earlier.
    pub fn check_log(&self, connection: &Connection) -> Result<(), FileLost> {
        match self.check() {
            // SQLite still has a removed log open, and can copy it into the database.
            Ok(()) | Err(FileLost::Removed(_)) => {}
            Err(truncated) => return Err(truncated),
        }
        let mut state = self.state.lock();
        let Some(log) = &mut state.log else {
            return Ok(());
        };
        let Ok(length) = log.file.metadata().map(|log| log.len()) else {
            return Ok(());
        };
        if length >= log.length {
            log.length = length;
            return Ok(());
        }
        // SQLite may have emptied the log between the two looks of one try.
        match log.lacks_pages(connection) && log.lacks_pages(connection) {
            true => Err(state.truncated(&self.log)),
            false => {
                log.length = length;
                Ok(())
            }
        }
    }

    /// Keeps SQLite from copying a truncated log into the database, which it does when the last connection is closed: the
    /// missing pages would be copied as zeros.
    pub fn protect_at_close(&self, connection: &Connection) {
        if self.state.lock().truncated.is_some() {
            let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if let Err(error) = kept {
                tracing::warn!(%error, log = %self.log.display(), "a truncated write-ahead log may be copied");
            }
        }
    }
}

// === impl FileState ===

impl FileState {
    fn truncated(&mut self, path: &Path) -> FileLost {
        self.truncated = Some(path.to_owned());
        FileLost::Truncated(path.to_owned())
    }
}

// === impl OpenLog ===

impl OpenLog {
    /// SQLite holds no lock on the log, which the close of another handle would release.
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        Ok(Self {
            inode: Inode::of(&metadata),
            length: metadata.len(),
            file,
            had_header: false,
        })
    }

    /// Whether a log that had a header has it still, or is empty. SQLite writes the header before the pages of an empty log.
    fn keeps_header(&mut self) -> bool {
        let mut magic = [0; 4];
        if !matches!(self.file.read_at(&mut magic, 0), Ok(4)) {
            return true;
        }
        // The last bit says in which order of bytes the checksums are.
        let has_header = u32::from_be_bytes(magic) | 1 == 0x377f_0683;
        let is_kept = has_header || !self.had_header;
        self.had_header |= has_header;
        is_kept
    }

    /// Whether the log is too short for its pages. SQLite counts on no page before it empties the log itself.
    fn lacks_pages(&self, connection: &Connection) -> bool {
        // This checkpoint copies nothing. Its second column is the number of pages in the log.
        let statement = "PRAGMA wal_checkpoint(NOOP)";
        let pages = connection.query_row(statement, [], |row| row.get::<_, u32>(1));
        let Ok(pages) = pages.map(u64::from) else {
            return false;
        };
        let Ok(length) = self.file.metadata().map(|log| log.len()) else {
            return false;
        };
        let mut page_size = [0; 4];
        let page_size = match self.file.read_exact_at(&mut page_size, 8) {
            Ok(()) => u64::from(u32::from_be_bytes(page_size)),
            Err(_) => 0,
        };
        pages > 0 && length < LOG_HEADER_BYTES + pages * (PAGE_HEADER_BYTES + page_size)
    }
}

// === impl Inode ===

impl Inode {
    fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }
}
