//! A program under test, with captured output; it never outlives the tests.
//!
//! Shared servers live in statics, which Rust does not drop at exit. Each process therefore has a guard: a shell that
//! waits on a pipe which only this test process holds open. However the tests end, the pipe closes, and the guard kills
//! the program and removes its scratch folder.

mod output;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use output::{NoLine, Output, Stream};

/// A running program with its captured output. Dropping it kills the program.
#[derive(Debug)]
pub struct Process {
    name: String,
    id: u32,
    running: Mutex<Option<Running>>,
    output: Arc<Output>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    guard: Child,
}

/// A stop after SIGTERM may take this long.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

// === impl Process ===

impl Process {
    /// Starts `command`. If the tests end before the process is dropped, the folder `scratch` is removed.
    ///
    /// # Panics
    /// When the program does not start.
    pub fn start(name: &str, mut command: Command, scratch: &Path) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} did not start: {error} ({command:?})"));
        let guard = start_guard(child.id(), scratch);
        let output = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            output.capture(stdout, Stream::Out);
        }
        if let Some(stderr) = child.stderr.take() {
            output.capture(stderr, Stream::Err);
        }
        Self {
            name: name.to_owned(),
            id: child.id(),
            running: Mutex::new(Some(Running { child, guard })),
            output,
        }
    }

    // === output ===

    /// Waits for a line on standard output for which `wanted` returns something, and returns it.
    ///
    /// # Errors
    /// When the program exits or `timeout` elapses before that; the text holds the whole output.
    pub fn wait_for<T>(
        &self,
        timeout: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let found = self.output.wait_for(Instant::now() + timeout, wanted);
        found.map_err(|reason| {
            let reason = match reason {
                NoLine::Closed => "exited".to_owned(),
                NoLine::TimedOut => format!("was not ready within {timeout:?}"),
            };
            format!("{} {reason}; output:\n{}", self.name, self.output_since(0))
        })
    }

    /// The number of lines of output so far; see [`Process::output_since`].
    pub fn line_count(&self) -> usize {
        self.output.line_count()
    }

    /// The output from the line with this index on.
    pub fn output_since(&self, start: usize) -> String {
        self.output.text_since(start)
    }

    // === signals ===

    /// Sends SIGHUP, which makes the host reload its manifest.
    pub fn send_sighup(&self) {
        signal("HUP", self.id);
    }

    /// Sends SIGTERM, which makes the host drain.
    pub fn send_sigterm(&self) {
        signal("TERM", self.id);
    }

    /// Sends the signal of this name, without its `SIG`.
    pub fn send_signal(&self, name: &str) {
        signal(name, self.id);
    }

    /// Suspends the program with SIGSTOP: it keeps its connections and answers nothing.
    pub fn suspend(&self) {
        signal("STOP", self.id);
    }

    /// Resumes a suspended program with SIGCONT.
    pub fn resume(&self) {
        signal("CONT", self.id);
    }

    /// Fails every write of the program beyond this size of a file, in bytes, as a full disk does; `None` ends that.
    ///
    /// # Panics
    /// When the program does not run.
    pub fn limit_file_size(&self, size: Option<u64>) {
        self.limit("fsize", size);
    }

    /// Leaves the program this many bytes of address space beyond what it has; `None` lifts the limit.
    ///
    /// # Panics
    /// When the program does not run.
    pub fn limit_address_space(&self, further: Option<u64>) {
        let present = || {
            let pages = std::fs::read_to_string(format!("/proc/{}/statm", self.id));
            let pages = pages.ok()?.split(' ').next()?.parse::<u64>().ok()?;
            Some(pages * 4096)
        };
        let present = present().unwrap_or_else(|| panic!("{} was stopped before", self.name));
        let limit = further.map(|further| present + further);
        self.limit("as", limit);
    }

    fn limit(&self, resource: &str, value: Option<u64>) {
        let value = value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
        let mut limit = Command::new("prlimit");
        // The colon leaves the hard limit as it is, so that the limit can be raised again.
        let argument = format!("--{resource}={value}:");
        limit.args(["--pid", &self.id.to_string(), &argument]);
        let limited = limit.status();
        assert!(
            limited.is_ok_and(|status| status.success()),
            "the limit of {} was not changed",
            self.name
        );
    }

    /// Stops the program with SIGTERM and returns its exit status.
    ///
    /// # Panics
    /// When the program does not stop within thirty seconds, or has stopped before.
    pub fn terminate(&self) -> ExitStatus {
        signal("TERM", self.id);
        self.wait_for_exit(STOP_TIMEOUT).0
    }

    /// Waits until the program exits by itself; returns its exit status and its whole output.
    ///
    /// # Panics
    /// When the program still runs after `timeout`, or has stopped before.
    pub fn wait_for_exit(&self, timeout: Duration) -> (ExitStatus, String) {
        let has_exited = self.output.wait_until_closed(Instant::now() + timeout);
        let output = self.output_since(0);
        assert!(
            has_exited,
            "{} still runs after {timeout:?}; output:\n{output}",
            self.name
        );
        let status = self
            .reap()
            .unwrap_or_else(|| panic!("{} was stopped before", self.name));
        (status, output)
    }

    /// Kills the program with SIGKILL, without a warning.
    pub fn kill(&self) {
        if let Some(running) = self.running.lock().as_mut() {
            // An error means that the program has exited already.
            let _ = running.child.kill();
        }
        self.reap();
    }

    /// The guard is killed first: once the program is reaped, its process id may belong to another program.
    fn reap(&self) -> Option<ExitStatus> {
        let Running {
            mut child,
            mut guard,
        } = self.running.lock().take()?;
        let _ = guard.kill();
        let _ = guard.wait();
        child.wait().ok()
    }

    // === processor time ===

    /// The processor time of its threads so far, in clock ticks by thread name.
    ///
    /// # Panics
    /// When the program does not run.
    pub fn cpu_ticks(&self) -> BTreeMap<String, u64> {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id))
            .unwrap_or_else(|error| panic!("{} does not run: {error}", self.name));
        let mut ticks_by_thread = BTreeMap::new();
        for thread in threads.flatten() {
            // The thread may have ended since it was listed.
            let stat = std::fs::read_to_string(thread.path().join("stat"));
            if let Some((name, ticks)) = stat.as_deref().ok().and_then(ticks_in) {
                *ticks_by_thread.entry(name.to_owned()).or_default() += ticks;
            }
        }
        ticks_by_thread
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start_guard(program: u32, scratch: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "cat; kill -KILL \"$1\"; rm -rf \"$2\"", "guard"])
        .arg(program.to_string())
        .arg(scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("no guard for process {program}: {error}"))
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {process}")])
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "SIG{name} did not reach process {process}"
    );
}

/// The name of a thread and its processor time, from `/proc/…/stat`: "number (name) state …". The name may contain any
/// character.
fn ticks_in(stat: &str) -> Option<(&str, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    // Fields 14 and 15: time in user mode and time in kernel mode.
    let mut times = rest.split_whitespace().skip(11);
    let mut time = || times.next()?.parse::<u64>().ok();
    Some((name, time()? + time()?))
}
