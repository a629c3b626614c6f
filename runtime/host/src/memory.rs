//! Gives back what the allocator keeps for later.
//!
//! A first start compiles all components, which takes a few hundred megabytes for some seconds. The allocator would keep
//! most of them for ever, for a compiler that never comes back.

#![cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "glibc offers this as a C function only")
)]

/// Returns free memory to the system, where the allocator can be told to.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches nothing but memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
