//! Whether a statement has met damage in the file.
//!
//! SQLite does not look at pages that it does not read, so that only the statements of some keys or streams fail. What they
//! meet does not heal by itself, and is remembered until the process ends.

use std::error::Error;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::ErrorCode;

use super::DatabaseError;

/// What the statements on one file have met.
pub(super) struct Damage {
    path: PathBuf,
    is_met: AtomicBool,
}

impl Damage {
    pub fn none(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_met: AtomicBool::new(false),
        }
    }

    /// Notes the error of a statement, or one that it has caused.
    pub fn note(&self, error: &(dyn Error + 'static)) {
        let is_first = is_damage(error) && !self.is_met.swap(true, Ordering::Relaxed);
        if is_first {
            tracing::error!(database = %self.path.display(), "the file of a database is damaged");
        }
    }

    /// # Errors
    /// If a statement or, as the caller knows, a commit has met damage.
    pub fn check(&self, is_met_by_commit: bool) -> Result<(), DatabaseError> {
        match is_met_by_commit || self.is_met.load(Ordering::Relaxed) {
            true => Err(DatabaseError::Damaged(self.path.clone())),
            false => Ok(()),
        }
    }
}

pub(super) fn is_damage(error: &(dyn Error + 'static)) -> bool {
    let causes = iter::successors(Some(error), |&error| error.source());
    let codes = causes.filter_map(|error| error.downcast_ref::<rusqlite::Error>());
    let mut codes = codes.filter_map(rusqlite::Error::sqlite_error_code);
    codes.any(|code| matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
