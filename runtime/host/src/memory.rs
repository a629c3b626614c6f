//! How the allocator deals with memory that is free again.
//!
//! A first start compiles all components, which takes some two hundred megabytes for a few seconds, and a rush of
//! customers some twenty. Left to itself, the allocator would keep most of them for ever.

#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "glibc offers this as C functions only")
)]

/// From this size on a block comes from the system directly, and goes back when it is freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 128 << 10;

/// Has large blocks go back to the system as soon as they are free, where the allocator can be told to.
///
/// That is glibc's own beginning; it would raise the limit to 32 MiB with the first large block it sees freed.
pub fn return_large_blocks() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number, under the allocator's own lock.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Returns everything that is free to the system, where the allocator can be told to.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches nothing but memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
