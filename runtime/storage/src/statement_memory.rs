//! A bound on the memory that SQL takes.
//!
//! A statement can ask for any amount: `SELECT randomblob(1e9), randomblob(1e9)`. The bound that SQLite offers
//! (`sqlite3_hard_heap_limit64`) is one for the whole process, so the statement of one component would fail those of all
//! others, and it takes a lock for each allocation. A statement runs on one thread from its beginning to its end: what that
//! thread allocates meanwhile is what the statement takes.
#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "SQLite takes its allocator as C functions")
)]

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an allowance takes from its pool at once, in bytes.
const CHUNK: usize = 64 << 10;

/// The memory that several connections may take together.
pub struct MemoryPool {
    /// In bytes.
    free: AtomicUsize,
}

/// The memory that one connection may take: what it takes from a pool, it keeps until it is dropped.
pub struct MemoryAllowance {
    pool: Arc<MemoryPool>,
    taken: usize,
    left: usize,
}

/// The allowance of the statement that this thread runs.
struct Current {
    left: Cell<usize>,
    pool: RefCell<Option<Arc<MemoryPool>>>,
    taken: Cell<usize>,
}

thread_local! {
    static CURRENT: Current = const {
        Current {
            left: Cell::new(UNBOUNDED),
            pool: RefCell::new(None),
            taken: Cell::new(0),
        }
    };
}

/// What is left outside of a statement: so much that no sum of allocations and releases reaches either end.
const UNBOUNDED: usize = usize::MAX / 2;

// === impl MemoryPool ===

impl MemoryPool {
    /// A pool of so many bytes.
    pub fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            free: AtomicUsize::new(bytes),
        })
    }

    fn take(&self, bytes: usize) -> bool {
        let taken = self
            .free
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| {
                free.checked_sub(bytes)
            });
        taken.is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.free.fetch_add(bytes, Ordering::AcqRel);
    }
}

// === impl MemoryAllowance ===

impl MemoryAllowance {
    /// An allowance that has taken nothing yet.
    pub fn of(pool: &Arc<MemoryPool>) -> Self {
        Self {
            pool: pool.clone(),
            taken: 0,
            left: 0,
        }
    }

    /// Runs statements. When the pool is empty, SQLite fails with `SQLITE_NOMEM`. What a statement leaves in its connection
    /// counts for this allowance until it is dropped.
    pub fn during<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let begun = Begun::begin(self);
        let result = run();
        drop(begun);
        result
    }
}

impl Drop for MemoryAllowance {
    fn drop(&mut self) {
        self.pool.give_back(self.taken);
    }
}

/// Statements in progress on this thread.
struct Begun<'a>(&'a mut MemoryAllowance);

impl<'a> Begun<'a> {
    fn begin(allowance: &'a mut MemoryAllowance) -> Self {
        CURRENT.with(|current| {
            current.left.set(allowance.left);
            current.taken.set(allowance.taken);
            current.pool.replace(Some(allowance.pool.clone()));
        });
        Self(allowance)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            self.0.left = current.left.replace(UNBOUNDED);
            self.0.taken = current.taken.get();
            current.pool.replace(None);
        });
    }
}

// === impl Current ===

impl Current {
    fn take(&self, bytes: usize) -> bool {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => self.take_from_pool(bytes),
        }
    }

    #[cold]
    fn take_from_pool(&self, bytes: usize) -> bool {
        let pool = self.pool.borrow();
        let Some(pool) = &*pool else {
            return true;
        };
        let missing = bytes - self.left.get();
        let chunk = missing.next_multiple_of(CHUNK);
        let is_taken = pool.take(chunk);
        if is_taken {
            self.taken.set(self.taken.get() + chunk);
            self.left.set(self.left.get() + chunk - bytes);
        }
        is_taken
    }

    fn give_back(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_add(bytes));
    }
}

pub use allocator::install;

#[cfg(target_os = "linux")]
mod allocator {
    //! The allocator of the process as SQLite calls it, with what the present statement may take.

    use std::ffi::{c_int, c_void};
    use std::ptr;
    use std::sync::Once;

    use rusqlite::ffi;

    use super::CURRENT;

    /// The alignment of sizes.
    const WORD: c_int = 8;

    /// Bounds the memory of statements in this process. Has an effect before the first connection is opened; every
    /// function of this crate that opens one calls it.
    pub fn install() {
        static INSTALLED: Once = Once::new();
        INSTALLED.call_once(|| {
            let methods = ffi::sqlite3_mem_methods {
                xMalloc: Some(allocate),
                xFree: Some(release),
                xRealloc: Some(resize),
                xSize: Some(size),
                xRoundup: Some(round_up),
                xInit: Some(initialize),
                xShutdown: Some(shut_down),
                pAppData: ptr::null_mut(),
            };
            // SAFETY: the call copies the methods. SQLite refuses it once a connection was opened.
            let code =
                unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
            if code != ffi::SQLITE_OK {
                tracing::warn!("a connection was opened too early: the memory of SQL has no bound");
            }
        });
    }

    fn take(bytes: usize) -> bool {
        // A thread that ends has no allowance.
        CURRENT
            .try_with(|current| current.take(bytes))
            .unwrap_or(true)
    }

    fn give_back(bytes: usize) {
        let _ = CURRENT.try_with(|current| current.give_back(bytes));
    }

    unsafe extern "C" fn allocate(bytes: c_int) -> *mut c_void {
        let wanted = usize::try_from(bytes).unwrap_or_default();
        // SAFETY: the functions of the system, with a pointer of theirs.
        unsafe {
            let block = libc::malloc(wanted);
            if !block.is_null() && !take(libc::malloc_usable_size(block)) {
                libc::free(block);
                return ptr::null_mut();
            }
            block
        }
    }

    unsafe extern "C" fn release(block: *mut c_void) {
        // SAFETY: SQLite gives back a block that it got from `allocate` or `resize`.
        unsafe {
            give_back(libc::malloc_usable_size(block));
            libc::free(block);
        }
    }

    unsafe extern "C" fn resize(block: *mut c_void, bytes: c_int) -> *mut c_void {
        let wanted = usize::try_from(bytes).unwrap_or_default();
        // SAFETY: as `release`; the block stays as it is if there is no memory for another size.
        unsafe {
            let before = libc::malloc_usable_size(block);
            let growth = wanted.saturating_sub(before);
            if !take(growth) {
                return ptr::null_mut();
            }
            let resized = libc::realloc(block, wanted);
            if resized.is_null() {
                give_back(growth);
                return resized;
            }
            // The block may be larger than what was wanted.
            let after = libc::malloc_usable_size(resized);
            let counted = before + growth;
            match after.checked_sub(counted) {
                Some(more) => drop(take(more)),
                None => give_back(counted - after),
            }
            resized
        }
    }

    unsafe extern "C" fn size(block: *mut c_void) -> c_int {
        // SAFETY: as `release`.
        let bytes = match block.is_null() {
            true => 0,
            false => unsafe { libc::malloc_usable_size(block) },
        };
        c_int::try_from(bytes).unwrap_or(c_int::MAX)
    }

    unsafe extern "C" fn round_up(bytes: c_int) -> c_int {
        bytes.saturating_add(WORD - 1) & !(WORD - 1)
    }

    unsafe extern "C" fn initialize(_: *mut c_void) -> c_int {
        ffi::SQLITE_OK
    }

    unsafe extern "C" fn shut_down(_: *mut c_void) {}
}

#[cfg(not(target_os = "linux"))]
mod allocator {
    /// The memory of statements has no bound on this system.
    pub fn install() {}
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use rusqlite::{Connection, ErrorCode};

    use super::*;

    fn connection() -> Connection {
        install();
        Connection::open_in_memory().unwrap()
    }

    fn blobs(connection: &Connection, number: usize) -> rusqlite::Result<()> {
        let columns = vec!["randomblob(1000000)"; number].join(", ");
        connection.query_row(&format!("SELECT {columns}"), [], |_| Ok(()))
    }

    #[test]
    fn a_statement_that_needs_more_than_the_pool_fails_alone() {
        let connection = connection();
        let pool = MemoryPool::new(16 << 20);
        let mut allowance = MemoryAllowance::of(&pool);
        allowance.during(|| blobs(&connection, 5)).unwrap();
        let error = allowance.during(|| blobs(&connection, 50)).unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::OutOfMemory));
        blobs(&connection, 50).unwrap();
        allowance.during(|| blobs(&connection, 5)).unwrap();
    }

    #[test]
    fn what_stays_in_a_connection_counts_until_its_end() {
        let (one, other) = (connection(), connection());
        let pool = MemoryPool::new(64 << 20);
        let mut allowance = MemoryAllowance::of(&pool);
        let fill = "CREATE TABLE t AS SELECT randomblob(20000000)";
        allowance.during(|| one.execute_batch(fill)).unwrap();
        let mut second = MemoryAllowance::of(&pool);
        second.during(|| other.execute_batch(fill)).unwrap_err();
        drop((one, allowance));
        second.during(|| other.execute_batch(fill)).unwrap();
    }

    #[test]
    fn a_statement_that_is_too_long_to_parse_fails() {
        let connection = connection();
        let pool = MemoryPool::new(16 << 20);
        let mut allowance = MemoryAllowance::of(&pool);
        let list = "1,".repeat(1_000_000);
        let statement = format!("SELECT 1 IN ({list}1)");
        let prepared = allowance.during(|| connection.prepare(&statement).map(drop));
        let error = prepared.unwrap_err();
        assert_eq!(error.sqlite_error_code(), Some(ErrorCode::OutOfMemory));
    }
}
