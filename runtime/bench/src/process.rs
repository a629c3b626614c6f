//! Memory and processor time of a process, from Linux's `/proc`. Other systems report `None`, shown as a dash.

use std::time::Duration;

/// Unit of processor time in `/proc`: `USER_HZ` is 100 on all supported machines.
const TICK: Duration = Duration::from_millis(10);

/// A process of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// Returns the process with this id.
    pub fn of(id: u32) -> Self {
        Self(id)
    }

    /// Returns the process of the benchmark.
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Returns the resident memory in bytes.
    pub fn memory(self) -> Option<u64> {
        resident(&std::fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?)
    }

    /// Returns the processor time used by all its threads so far.
    pub fn processor_time(self) -> Option<Duration> {
        processor_time(&std::fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?)
    }
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// The second field is the name in parentheses and may hold any character, so the fields after it are counted.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (ticks()?, ticks()?);
    Some(TICK * user + TICK * system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tsocar\nVmHWM:\t  90000 kB\nVmRSS:\t   47104 kB\nRssAnon:\t 1 kB\n";
        assert_eq!(resident(status), Some(47_104 * 1024));
        assert_eq!(resident("Name:\tzombie\n"), None);
    }

    #[test]
    fn processor_time_is_parsed_behind_any_process_name() {
        let stat = "42 (a) b (c)) S 1 42 42 0 -1 4194304 500 0 0 0 150 25 9 9 20 0 5 0 1 1 1";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(1750)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_own_process_has_memory_and_processor_time() {
        assert!(Process::own().memory() > Some(100_000));
        assert!(Process::own().processor_time().is_some());
    }
}
