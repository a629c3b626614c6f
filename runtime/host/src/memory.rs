//! How the allocator treats free memory.
//!
//! The first start compiles all components, which takes some 200 MB for a few seconds, and a load peak takes some 20
//! MB. By default the allocator would keep most of it.

#![cfg_attr(
    any(target_env = "gnu", target_env = "musl"),
    expect(unsafe_code, reason = "the system offers this as C functions only")
)]

/// The allocator of musl has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Blocks of at least this size, in bytes, come directly from the system and are returned when they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK_BYTES: libc::c_int = 128 << 10;

/// Lets the allocator return memory to the system as soon as it is free, where it can.
///
/// The threshold of large blocks is glibc's default; without this call, glibc raises it up to 32 MiB when it frees the first
/// large block. mimalloc asks the system for pages of 2 MiB, which stay as long as anything in them is in use: a process that
/// had compiled its components took 380 MB with them, and takes 87 MB without.
pub fn return_free_memory_early() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call sets a number, under the lock of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
    }
    #[cfg(target_env = "musl")]
    // SAFETY: the call sets a property of this process and touches no memory.
    unsafe {
        let unused: libc::c_ulong = 0;
        libc::prctl(
            libc::PR_SET_THP_DISABLE,
            1 as libc::c_ulong,
            unused,
            unused,
            unused,
        );
    }
}

/// Returns all free memory to the system, where the allocator supports it.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes the locks of the allocator and touches only free memory.
    unsafe {
        libc::malloc_trim(0);
    }
}
