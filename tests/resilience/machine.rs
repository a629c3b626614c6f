//! Does a bad day of the machine cost at most the work under way? A log without a reader, few descriptors, little address
//! space, signals at any moment.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::{
    Client, Process, Protocol, build_component, eventually, new_state_dir, socar, under_target,
};
use http::Method;
use tempfile::TempDir;

use crate::listener::unread::UnreadClients;
use crate::saboteur::{Saboteur, call_deadline, host_command};

const TIMEOUT: Duration = Duration::from_secs(60);

/// The manifest of the saboteur.
const MANIFEST: &str = "tests/saboteur/spin.toml";

// === a log that cannot be written ===

#[test]
fn a_host_whose_log_has_no_reader_serves_reloads_and_exits_with_0() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let host = LoggingHost::start(writer.into());
    host.get("/greet/me");
    host.reload();
    host.get("/greet/me");
    assert_eq!(host.terminate(), Some(0));
}

#[test]
fn a_host_on_a_full_disk_for_its_log_serves_and_exits_with_0() {
    let full = File::options().write(true).open("/dev/full");
    let host = LoggingHost::start(full.expect("a full device").into());
    host.get("/greet/me");
    host.reload();
    assert_eq!(host.terminate(), Some(0));
}

#[test]
fn a_log_that_is_not_read_delays_no_request() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let host = LoggingHost::start(writer.into());
    let started = Instant::now();
    // Each of these requests logs a line. Together they are more than a pipe holds.
    for _ in 0..1500 {
        host.get("/log?err=0123456789012345678901234567890123456789");
    }
    // A wait for the log with each line that it does not take would take longer than a minute.
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(host.terminate(), Some(0));
    drop(reader);
}

/// The filter itself would print so, by a macro that panics where standard error cannot be written.
#[test]
fn a_mistake_in_the_filter_of_the_log_ends_no_host() {
    build_component("saboteur");
    let state = new_state_dir("filter-");
    let mut command = host_command(Path::new(MANIFEST), state.path(), &[]);
    command.env("RUST_LOG", "info,guest=wrn");
    let process = Process::start("socar", command, state.path());
    process
        .wait_for(TIMEOUT, |line| line.strip_prefix("Serving ").map(drop))
        .expect("it serves");
    let log = process.output_since(0);
    assert!(
        log.contains("a part of RUST_LOG is ignored") && log.contains("guest=wrn"),
        "{log}"
    );
    assert_eq!(process.terminate().code(), Some(0));
}

/// As with a collector of logs that hangs, or in a terminal that is held.
#[test]
fn a_host_whose_standard_output_is_not_read_stops() {
    build_component("saboteur");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe holds.
    writer.write_all(&[b'\n'; 1 << 16]).expect("a full pipe");
    let state = new_state_dir("held-");
    let mut command = host_command(Path::new(MANIFEST), state.path(), &[]);
    let command = command.stdin(Stdio::null()).stdout(writer);
    let mut child = command.stderr(Stdio::null()).spawn().expect("socar starts");
    let admin = state.path().join("admin");
    eventually(|| admin.exists(), |exists| *exists);
    let client = Client::new("http://127.0.0.1", Protocol::Http1);
    let status = || {
        let admin = harness::AdminPort::new(&client, state.path());
        let response = admin.request(Method::GET, "/instances").try_send();
        response.map(|response| response.status).ok()
    };
    eventually(status, |status| *status == Some(200));
    let sent = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()));
    let ended = eventually(|| child.try_wait().expect("a child"), Option::is_some);
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
    drop(reader);
}

/// A host with a standard error of its own.
struct LoggingHost {
    child: Child,
    client: Client,
    state: TempDir,
}

impl LoggingHost {
    fn start(stderr: Stdio) -> Self {
        build_component("saboteur");
        let state = new_state_dir("log-");
        let mut command = host_command(Path::new(MANIFEST), state.path(), &[]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.stderr(stderr).spawn().expect("socar starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("an output"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let url = line.strip_prefix("Serving ").expect("it serves").trim();
        Self {
            client: Client::new(url, Protocol::Http1),
            child,
            state,
        }
    }

    fn get(&self, path: &str) {
        self.client.request(Method::GET, path).send().is(200);
    }

    fn reload(&self) {
        let admin = harness::AdminPort::new(&self.client, self.state.path());
        admin.request(Method::POST, "/reload").send().is(200);
    }

    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        self.child.wait().expect("it exits").code()
    }
}

impl Drop for LoggingHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === reloads ===

#[test]
fn sixty_reloads_in_a_row_leave_the_host_well() {
    let saboteur = Saboteur::start(&[]);
    for _ in 0..60 {
        let admin = saboteur.admin();
        admin.request(Method::POST, "/reload").send().is(200);
    }
    saboteur.call("/greet/me").is(200);
    assert_eq!(saboteur.terminate().code(), Some(0));
}

#[test]
fn a_reload_is_refused_while_too_many_replaced_versions_have_calls() {
    let saboteur = Saboteur::start_with(&call_deadline("5m"), &[]);
    let reload = || saboteur.admin().request(Method::POST, "/reload").send();
    thread::scope(|scope| {
        for version in 1..=32 {
            // The call ends with the host.
            scope.spawn(|| saboteur.request(Method::GET, "/sleep?ms=60000").try_send());
            let busy =
                || saboteur.admin().json("/instances")["components"]["saboteur"]["busy"].clone();
            eventually(busy, |busy| *busy == 1);
            assert_eq!(reload().status, 200, "version {version}");
        }
        let refused = reload();
        assert_ne!(refused.status, 200);
        let text = refused.text();
        assert!(
            text.contains("32 replaced versions still finish their calls"),
            "{text}"
        );
        saboteur.call("/greet/me").is(200);
        saboteur.kill();
    });
}

// === signals ===

#[test]
fn signals_without_a_meaning_do_not_end_the_host_and_sigquit_drains_it() {
    let state = new_state_dir("signals-");
    build_component("saboteur");
    let process = Process::start(
        "socar",
        host_command(Path::new(MANIFEST), state.path(), &[]),
        state.path(),
    );
    process
        .wait_for(TIMEOUT, |line| line.strip_prefix("Serving ").map(drop))
        .expect("it serves");
    for name in ["USR1", "USR2", "ALRM", "QUIT"] {
        process.send_signal(name);
    }
    assert_eq!(process.wait_for_exit(TIMEOUT).0.code(), Some(0));
}

// === signals before the host serves ===

#[test]
fn a_stop_signal_while_components_compile_ends_the_host_with_0() {
    let (process, _state) = compiling_host();
    assert_eq!(process.terminate().code(), Some(0));
}

#[test]
fn a_hangup_while_components_compile_does_not_end_the_host() {
    let (process, _state) = compiling_host();
    process.send_sighup();
    process
        .wait_for(TIMEOUT, |line| line.strip_prefix("Serving ").map(drop))
        .expect("it serves");
    assert_eq!(process.terminate().code(), Some(0));
}

#[test]
fn a_stop_signal_during_a_build_ends_the_build_with_the_host() {
    let application = BuildingApplication::new();
    let command = host_command(
        &application.manifest,
        application.state.path(),
        &["--build"],
    );
    assert_eq!(application.stop_during_the_build(command), Some(0));
}

#[test]
fn a_stop_signal_during_the_build_of_a_push_ends_the_build() {
    let application = BuildingApplication::new();
    let mut command = socar();
    command.args(["registry", "push", "--build", "-f"]);
    command.arg(&application.manifest).arg("127.0.0.1:1/app:1");
    assert_eq!(application.stop_during_the_build(command), Some(1));
}

/// An application whose build takes minutes, and writes the id of its process.
struct BuildingApplication {
    state: TempDir,
    manifest: PathBuf,
}

impl BuildingApplication {
    fn new() -> Self {
        let state = new_state_dir("build-");
        let command = format!("echo $$ > {}/pid; sleep 301", state.path().display());
        let manifest = crate::saboteur::manifest_with("");
        let build = "command = \"cargo build --release --target wasm32-wasip2 -p saboteur\"\nworkdir = \"../..\"";
        assert!(manifest.contains(build));
        let text = manifest.replace(build, &format!("command = '{command}'"));
        let manifest = state.path().join("spin.toml");
        std::fs::create_dir_all(state.path().join("files")).expect("a folder");
        std::fs::write(&manifest, text).expect("a manifest");
        Self { state, manifest }
    }

    /// Stops this program while it builds. Returns its exit code after the build has ended.
    fn stop_during_the_build(&self, program: Command) -> Option<i32> {
        let pid = self.state.path().join("pid");
        let process = Process::start("socar", program, self.state.path());
        let child = eventually(
            || std::fs::read_to_string(&pid).unwrap_or_default(),
            |text| text.ends_with('\n'),
        );
        let status = process.terminate();
        let running = format!("/proc/{}", child.trim());
        eventually(|| Path::new(&running).exists(), |exists| !exists);
        status.code()
    }
}

/// A host that compiles its components, which takes seconds with an empty cache.
fn compiling_host() -> (Process, TempDir) {
    build_component("saboteur");
    let state = new_state_dir("compiling-");
    std::fs::remove_file(state.path().join("cache")).expect("a link to the shared cache");
    let command = host_command(Path::new(MANIFEST), state.path(), &[]);
    let process = Process::start("socar", command, state.path());
    eventually(|| state.path().join("admin").exists(), |exists| *exists);
    (process, state)
}

// === few resources ===

#[test]
fn a_host_with_little_address_space_serves_or_does_not_start() {
    build_component("saboteur");
    for kibibytes in [3_000_000, 8_000_000] {
        let state = new_state_dir("small-");
        let command = host_command(Path::new(MANIFEST), state.path(), &[]);
        let command = limited(&command, &format!("ulimit -v {kibibytes}"));
        let process = Process::start("socar", command, state.path());
        let url = process.wait_for(TIMEOUT, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let Ok(url) = url else { continue };
        let client = Client::new(&url, Protocol::Http1);
        client.request(Method::GET, "/readyz").send().is(200);
        for _ in 0..5 {
            client.request(Method::GET, "/greet/me").send().is(200);
        }
    }
}

/// One instance works on, and no second one can be created.
#[test]
fn a_host_without_address_space_for_further_instances_is_not_ready() {
    build_component("saboteur");
    let state = new_state_dir("narrow-");
    let command = host_command(Path::new(MANIFEST), state.path(), &[]);
    // So little that the host reserves nothing for instances in advance.
    let command = limited(&command, "ulimit -S -v 8000000");
    let process = Process::start("socar", command, state.path());
    let url = process.wait_for(TIMEOUT, |line| {
        line.strip_prefix("Serving ").map(str::to_owned)
    });
    let url = url.unwrap_or_else(|reason| panic!("{reason}"));
    let client = Client::new(&url, Protocol::Http1);
    client.request(Method::GET, "/greet/me").send().is(200);
    process.limit_address_space(Some(16 << 20));
    thread::scope(|scope| {
        let busy = || client.request(Method::GET, "/sleep?ms=1500").send();
        let busy: Vec<_> = (0..8).map(|_| scope.spawn(busy)).collect();
        let statuses = busy
            .into_iter()
            .map(|busy| busy.join().expect("a response").status);
        let statuses: Vec<u16> = statuses.collect();
        assert!(statuses.contains(&200), "{statuses:?}");
        assert!(statuses.iter().any(|status| *status >= 500), "{statuses:?}");
    });
    client.request(Method::GET, "/greet/me").send().is(200);
    eventually(
        || client.request(Method::GET, "/readyz").send().status,
        |status| *status == 503,
    );
    let causes = client.request(Method::GET, "/readyz?verbose").send().text();
    assert!(causes.contains("component `saboteur`"), "{causes}");
    process.limit_address_space(None);
    eventually(
        || client.request(Method::GET, "/readyz").send().status,
        |status| *status == 200,
    );
    assert!(process.terminate().code().is_some());
}

#[test]
fn idle_connections_leave_descriptors_for_probes_and_files() {
    build_component("saboteur");
    let state = new_state_dir("few-");
    let command = host_command(Path::new(MANIFEST), state.path(), &[]);
    let command = limited(&command, "ulimit -n 64");
    let process = Process::start("socar", command, state.path());
    let url = process.wait_for(TIMEOUT, |line| {
        line.strip_prefix("Serving ").map(str::to_owned)
    });
    let url = url.unwrap_or_else(|reason| panic!("{reason}"));
    let address = url.trim_start_matches("http://");
    let idle: Vec<_> = (0..100)
        .map(|_| TcpStream::connect(address).expect("a connection"))
        .collect();
    for _ in 0..5 {
        let started = Instant::now();
        let client = Client::new(&url, Protocol::Http1);
        client.request(Method::GET, "/readyz").send().is(200);
        assert!(started.elapsed() < Duration::from_secs(10));
    }
    drop(idle);
    let log = process.output_since(0);
    assert!(!log.contains("cannot accept"), "{log}");
    assert!(!log.contains("Too many open files"), "{log}");
}

#[test]
fn a_limit_of_the_size_of_files_is_a_full_disk_and_does_not_end_the_host() {
    build_component("saboteur");
    let state = new_state_dir("short-");
    let command = host_command(Path::new(MANIFEST), state.path(), &[]);
    let command = limited(&command, "ulimit -f 2048");
    let process = Process::start("socar", command, state.path());
    let url = process.wait_for(TIMEOUT, |line| {
        line.strip_prefix("Serving ").map(str::to_owned)
    });
    let url = url.unwrap_or_else(|reason| panic!("{reason}"));
    let client = Client::new(&url, Protocol::Http1);
    let value = "x".repeat(1000);
    let is_kept = |number: &usize| {
        let path = format!("/kv/set?key={number}&value={value}");
        client.request(Method::GET, &path).send().status == 200
    };
    let kept = (0..5000).take_while(is_kept).count();
    assert!((1..5000).contains(&kept), "{kept} writes");
    client.request(Method::GET, "/livez").send().is(200);
    eventually(
        || client.request(Method::GET, "/readyz").send().status,
        |status| *status == 503,
    );
    assert!(process.terminate().code().is_some());
}

/// The command with the resource limits that this shell command sets.
fn limited(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        limited.current_dir(directory);
    }
    limited
}

// === the admin port ===

#[test]
fn unread_connections_lock_no_operator_out() {
    let saboteur = Saboteur::start(&[]);
    let file = saboteur.state_dir().join("admin");
    let address = std::fs::read_to_string(file).expect("an address");
    let idle: Vec<_> = (0..80)
        .map(|_| TcpStream::connect(address.trim()).expect("a connection"))
        .collect();
    let started = Instant::now();
    saboteur.admin().get("/instances");
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(idle);
}

#[test]
fn clients_that_read_no_answer_lock_no_operator_out() {
    let saboteur = Saboteur::start(&[]);
    let file = saboteur.state_dir().join("admin");
    let address = std::fs::read_to_string(file).expect("an address");
    let connect = || TcpStream::connect(address.trim()).expect("a connection");
    let request = format!("GET /livez HTTP/1.1\r\nHost: {}\r\n\r\n", address.trim());
    let unread = UnreadClients::open(40, connect, &request);
    let started = Instant::now();
    saboteur.admin().get("/instances");
    assert!(started.elapsed() < Duration::from_secs(5));
    drop(unread);
}

// === the compilation cache ===

#[test]
fn a_damaged_cache_entry_is_compiled_again() {
    let state = new_state_dir("cache-");
    std::fs::remove_file(state.path().join("cache")).expect("a link to the shared cache");
    let cache = state.path().join("cache");
    copy_files(&under_target("cache"), &cache);
    let start = || {
        let command = host_command(Path::new(MANIFEST), state.path(), &[]);
        let process = Process::start("socar", command, state.path());
        let url = process.wait_for(TIMEOUT, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let client = Client::new(&url.expect("it serves"), Protocol::Http1);
        client.request(Method::GET, "/greet/me").send().is(200);
        assert_eq!(process.terminate().code(), Some(0));
        process.output_since(0)
    };
    build_component("saboteur");
    start();
    for file in files_below(&cache) {
        let mut bytes = std::fs::read(&file).expect("an entry");
        let middle = bytes.len() / 3;
        bytes[middle] ^= 0x40;
        std::fs::write(&file, bytes).expect("a damaged entry");
    }
    let log = start();
    assert!(log.contains("compiled again"), "{log}");
    assert!(!start().contains("compiled again"));
}

fn files_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).expect("a directory").flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files_below(&path),
            path => vec![path],
        })
        .filter(|path| path.metadata().is_ok_and(|file| file.len() > 100_000))
        .collect()
}

fn copy_files(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(copied.is_ok_and(|status| status.success()));
}
