//! The open files and sockets of this process, and their limit.

#![expect(unsafe_code, reason = "the system offers this as C functions only")]

/// Raises the limit to the maximum of the system, because the default is too low for a server. Returns the limit, or
/// `None` if the system does not tell it.
pub fn raise_limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls read or write the one structure, which outlives them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
    self::limit()
}

/// The present limit, or `None` if the system does not tell it.
pub fn limit() -> Option<usize> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes the structure, which outlives it.
    let is_known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 };
    is_known
        .then(|| usize::try_from(limit.rlim_cur).ok())
        .flatten()
}

/// The number of open descriptors of this process; 0 if the system does not tell it.
pub fn open_count() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
