//! Output is captured, exits are noticed, and no process outlives the tests.

use super::*;
use crate::eventually;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn runs(process: u32) -> bool {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -0 {process} 2>/dev/null")])
        .status();
    sent.is_ok_and(|status| status.success())
}

#[test]
fn a_line_is_waited_for_and_an_early_exit_is_reported() {
    let scratch = Path::new("/nonexistent/scratch");
    let printer = Process::start(
        "printer",
        shell("echo starting; echo at http://here; sleep 60"),
        scratch,
    );
    let found = printer.wait_for(Duration::from_secs(10), |line| {
        line.contains("http").then(|| line.to_owned())
    });
    assert_eq!(found.as_deref(), Ok("at http://here"));

    let exiting = Process::start("exiting", shell("echo no luck >&2; exit 3"), scratch);
    let error = exiting.wait_for(Duration::from_secs(10), |_| Some(()));
    let error = error.expect_err("standard output stays empty");
    assert!(
        error.contains("exited") && error.contains("no luck"),
        "{error}"
    );
    assert_eq!(
        exiting.wait_for_exit(Duration::from_secs(10)).0.code(),
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

/// The end of the test process closes the pipe; for servers in statics nothing else would stop them.
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
