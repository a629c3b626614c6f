//! How the allocator treats free memory.
//!
//! The first start compiles all components, which takes some 200 MB for a few seconds, and a load peak takes some 20
//! MB. By default the allocator would keep most of it.

#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "glibc offers this as C functions only")
)]

/// The allocator of musl has one lock for all threads.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Blocks of at least this size, in bytes, come directly from the system and are returned when they are freed.
#[cfg(target_env = "gnu")]
const LARGE_BLOCK_BYTES: libc::c_int = 128 << 10;

/// Returns large blocks to the system as soon as they are free, where the allocator supports it.
///
/// The value is glibc's default; without this call, glibc raises it up to 32 MiB when it frees the first large block.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call sets a number, under the lock of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
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
