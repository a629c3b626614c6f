//! How the process gives back memory that it no longer needs.
//!
//! The first start compiles all components, which takes some 200 MB for a few seconds, and a load peak takes some 20
//! MB. By default the allocator would keep most of it. The compiler is also half of the code of this program.

#![cfg_attr(
    any(target_env = "gnu", target_os = "linux"),
    expect(unsafe_code, reason = "the system offers this as C functions only")
)]

#[cfg(target_os = "linux")]
use std::ops::Range;
#[cfg(target_os = "linux")]
use std::path::Path;

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

/// Gives back the pages of this program's code. Those that are needed again come from the system's cache of files; those of the
/// compiler are not.
pub fn give_back_program_code() {
    #[cfg(target_os = "linux")]
    for pages in program_code() {
        // SAFETY: the pages have the contents of the program file, which cannot be written while it runs, and they are mapped
        // without write access: the next access to one reads the same bytes again.
        unsafe {
            libc::madvise(
                pages.start as *mut libc::c_void,
                pages.len(),
                libc::MADV_DONTNEED,
            );
        }
    }
}

/// The addresses at which the code of this program is mapped.
#[cfg(target_os = "linux")]
fn program_code() -> Vec<Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let code = maps.lines().filter_map(|line| {
        let mut fields = line.splitn(6, ' ');
        let (addresses, access) = (fields.next()?, fields.next()?);
        let path = fields.nth(3)?.trim_start();
        if access != "r-xp" || Path::new(path) != program {
            return None;
        }
        let (start, end) = addresses.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(address(start)?..address(end)?)
    });
    code.collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_program_goes_on_without_the_pages_of_its_code() {
        let function = program_code as fn() -> Vec<Range<usize>> as usize;
        assert!(program_code().iter().any(|code| code.contains(&function)));
        give_back_program_code();
        assert!(program_code().iter().any(|code| code.contains(&function)));
    }
}
