//! A program under test: its output is kept, and it never outlives the tests.
//!
//! Shared servers live in statics, which Rust does not drop at exit. Each process therefore has a guard: a shell that waits
//! on a pipe which only this test process holds open. However the tests end, the pipe closes, and the guard kills the
//! program and removes its scratch folder.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// A running program with its captured output.
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

/// Everything the program has said, line by line, in the order in which we read it.
#[derive(Debug, Default)]
struct Output {
    lines: Mutex<CapturedLines>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct CapturedLines {
    lines: Vec<(Stream, String)>,
    closed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

// === impl Process ===

impl Process {
    /// Starts `command`; `scratch` is removed when the tests end, if they end before the process is dropped.
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
            capture(stdout, Stream::Out, Arc::clone(&output));
        }
        if let Some(stderr) = child.stderr.take() {
            capture(stderr, Stream::Err, Arc::clone(&output));
        }
        Self {
            name: name.to_owned(),
            id: child.id(),
            running: Mutex::new(Some(Running { child, guard })),
            output,
        }
    }

    /// What the first standard output line says for which `wanted` answers something.
    ///
    /// # Errors
    /// With everything the program said, when it ends or `timeout` is over before that.
    pub fn wait_for<T>(
        &self,
        timeout: Duration,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + timeout;
        let mut captured = self.output.lines.lock();
        loop {
            let printed = captured
                .lines
                .iter()
                .filter(|(stream, _)| *stream == Stream::Out);
            if let Some(found) = printed.into_iter().find_map(|(_, line)| wanted(line)) {
                return Ok(found);
            }
            let ended = captured.closed == 2;
            if ended
                || self
                    .output
                    .changed
                    .wait_until(&mut captured, deadline)
                    .timed_out()
            {
                let reason = if ended {
                    "ended"
                } else {
                    "was not ready in time"
                };
                return Err(format!(
                    "{} {reason}; output:\n{}",
                    self.name,
                    text(&captured.lines)
                ));
            }
        }
    }

    /// How many lines were said so far; see [`Process::output_since`].
    pub fn line_count(&self) -> usize {
        self.output.lines.lock().lines.len()
    }

    /// What was said since `start`.
    pub fn output_since(&self, start: usize) -> String {
        let captured = self.output.lines.lock();
        text(captured.lines.get(start..).unwrap_or_default())
    }

    /// Asks the program to look at its configuration again (SIGHUP).
    pub fn send_sighup(&self) {
        signal("HUP", self.id);
    }

    /// Stops the program in its tracks (SIGSTOP): it keeps its connections and answers nothing.
    pub fn suspend(&self) {
        signal("STOP", self.id);
    }

    /// Lets a frozen program go on (SIGCONT).
    pub fn resume(&self) {
        signal("CONT", self.id);
    }

    /// Asks the program to stop (SIGTERM) and returns how it ended.
    ///
    /// # Panics
    /// When it does not stop within thirty seconds, or was stopped before.
    pub fn terminate(&self) -> ExitStatus {
        signal("TERM", self.id);
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut captured = self.output.lines.lock();
        while captured.closed < 2 {
            let waited = self.output.changed.wait_until(&mut captured, deadline);
            assert!(
                !waited.timed_out(),
                "{} did not stop on SIGTERM; output:\n{}",
                self.name,
                text(&captured.lines)
            );
        }
        drop(captured);
        self.reap()
            .unwrap_or_else(|| panic!("{} was stopped before", self.name))
    }

    /// Waits until the program ends by itself and returns how, with all it said.
    ///
    /// # Panics
    /// When it still runs after `timeout`.
    pub fn wait_for_exit(&self, timeout: Duration) -> (ExitStatus, String) {
        let deadline = Instant::now() + timeout;
        let mut captured = self.output.lines.lock();
        while captured.closed < 2 {
            let waited = self.output.changed.wait_until(&mut captured, deadline);
            assert!(
                !waited.timed_out(),
                "{} still runs; output:\n{}",
                self.name,
                text(&captured.lines)
            );
        }
        let all = text(&captured.lines);
        drop(captured);
        let status = self
            .reap()
            .unwrap_or_else(|| panic!("{} was stopped before", self.name));
        (status, all)
    }

    /// How long its threads have computed so far, in ticks of the system's clock, by the threads' names.
    ///
    /// # Panics
    /// When it does not run.
    pub fn cpu_ticks(&self) -> BTreeMap<String, u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id))
            .unwrap_or_else(|error| panic!("{} does not run: {error}", self.name));
        let mut ticks_by_thread = BTreeMap::new();
        // A thread may end while its neighbour is looked at.
        let threads = tasks.flatten();
        for stat in threads.filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok()) {
            if let Some((thread, ticks)) = ticks_in(&stat) {
                *ticks_by_thread.entry(thread.to_owned()).or_default() += ticks;
            }
        }
        ticks_by_thread
    }

    /// Ends the program at once (SIGKILL), as a power cut would.
    pub fn kill(&self) {
        if let Some(running) = self.running.lock().as_mut() {
            // An error means that it is gone already.
            let _ = running.child.kill();
        }
        self.reap();
    }

    /// The guard goes first: once the program is reaped its number may belong to somebody else.
    fn reap(&self) -> Option<ExitStatus> {
        let Running {
            mut child,
            mut guard,
        } = self.running.lock().take()?;
        let _ = guard.kill();
        let _ = guard.wait();
        child.wait().ok()
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

fn capture(source: impl Read + Send + 'static, stream: Stream, output: Arc<Output>) {
    thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            output.lines.lock().lines.push((stream, line));
            output.changed.notify_all();
        }
        output.lines.lock().closed += 1;
        output.changed.notify_all();
    });
}

fn text(lines: &[(Stream, String)]) -> String {
    lines
        .iter()
        .map(|(_, line)| line.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The name of a thread and what it has computed, in `/proc/…/stat`: "number (name) state …", where the name may hold
/// anything.
fn ticks_in(stat: &str) -> Option<(&str, u64)> {
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    // Fields 14 and 15 of all, for itself and in the system.
    let mut times = rest.split_whitespace().skip(11);
    let mut time = || times.next()?.parse::<u64>().ok();
    Some((name, time()? + time()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn runs(process: u32) -> bool {
        let asked = Command::new("sh")
            .args(["-c", &format!("kill -0 {process} 2>/dev/null")])
            .status();
        asked.is_ok_and(|status| status.success())
    }

    #[test]
    fn a_line_is_waited_for_and_an_early_exit_is_reported() {
        let nowhere = Path::new("/nonexistent/scratch");
        let talker = Process::start(
            "talker",
            shell("echo starting; echo at http://here; sleep 60"),
            nowhere,
        );
        let found = talker.wait_for(Duration::from_secs(10), |line| {
            line.contains("http").then(|| line.to_owned())
        });
        assert_eq!(found.as_deref(), Ok("at http://here"));

        let quitter = Process::start("quitter", shell("echo no luck >&2; exit 3"), nowhere);
        let told = quitter.wait_for(Duration::from_secs(10), |_| Some(()));
        let told = told.expect_err("it never said a thing on standard output");
        assert!(told.contains("ended") && told.contains("no luck"), "{told}");
        assert_eq!(
            quitter.wait_for_exit(Duration::from_secs(10)).0.code(),
            Some(3)
        );
    }

    #[test]
    fn a_dropped_process_is_killed() {
        let process = Process::start(
            "sleeper",
            shell("exec sleep 60"),
            Path::new("/nonexistent/scratch"),
        );
        let id = process.id;
        assert!(runs(id));
        drop(process);
        assert!(!runs(id));
    }

    /// What happens to the servers in statics when the test process ends.
    #[test]
    fn a_guard_kills_its_process_and_removes_its_scratch_folder_when_its_pipe_closes() {
        let scratch = tempfile::tempdir().expect("a folder");
        let mut sleeper = shell("exec sleep 60").spawn().expect("a shell");
        let mut guard = start_guard(sleeper.id(), scratch.path());
        drop(guard.stdin.take());
        let ended = eventually(|| sleeper.try_wait().ok().flatten(), Option::is_some);
        assert!(ended.is_some_and(|status| !status.success()));
        let _ = guard.wait();
        assert!(!scratch.path().exists());
    }
}
