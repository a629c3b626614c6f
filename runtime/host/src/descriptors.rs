//! How many files and sockets this process may have open.

#![expect(unsafe_code, reason = "the system offers this as C functions only")]

/// Raises the limit to what the system allows at most: the usual beginning is meant for programs without clients.
pub fn raise_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls read or write the one structure, which lives for as long as they take.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
