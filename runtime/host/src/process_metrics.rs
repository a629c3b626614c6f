//! Metrics of the process, under the names that all Prometheus clients use.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use metrics::{counter, gauge};

use crate::descriptors;

/// The time of the first look, which is at the start of the host.
static STARTED: LazyLock<Duration> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
});

/// The units of `/proc/self/stat` for a second. The kernel reports this number to every program, whatever its own clock
/// rate is.
const TICKS_PER_SECOND: u64 = 100;

/// Notes the time of the start.
pub fn note_start() {
    LazyLock::force(&STARTED);
}

/// Sets the metrics; those that the system does not tell are left out.
pub fn export() {
    gauge!("process_start_time_seconds").set(STARTED.as_secs_f64());
    gauge!("process_open_fds").set(descriptors::open_count() as f64);
    if let Some(limit) = descriptors::limit() {
        gauge!("process_max_fds").set(limit as f64);
    }
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}"));
    if let Some(bytes) = read("status").ok().as_deref().and_then(resident_bytes) {
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    if let Some(ticks) = read("stat").ok().as_deref().and_then(cpu_ticks) {
        counter!("process_cpu_seconds_total").absolute(ticks / TICKS_PER_SECOND);
    }
}

/// The line `VmRSS:  1234 kB`.
fn resident_bytes(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// The 14th and 15th field, time in user and in kernel mode. The second field may contain spaces and parentheses.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_understood() {
        let status = "Name:\tsocar\nVmRSS:\t   2048 kB\nThreads:\t4\n";
        assert_eq!(resident_bytes(status), Some(2 << 20));
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 4";
        assert_eq!(cpu_ticks(stat), Some(200));
        assert_eq!(cpu_ticks("nonsense"), None);
    }
}
