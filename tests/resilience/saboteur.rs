//! A host that runs the saboteur, and beside it a healthy neighbour made of the same code.

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use harness::{
    AdminPort, Client, Process, Protocol, RequestBuilder, Response, build_component, new_state_dir,
    read, root, socar,
};
use http::Method;
use tempfile::TempDir;

/// Includes the compilation of the component on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(180);

/// The file that the manifest makes readable for the saboteur.
const FILE: &str = "tests/saboteur/files/note.txt";

/// A running host; dropping it kills the process.
pub struct Saboteur {
    process: Process,
    client: Client,
    url: String,
    state_dir: TempDir,
}

impl Saboteur {
    /// The host that tests share. A test that changes the host starts its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Saboteur> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A host with these additional arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let manifest = Path::new("tests/saboteur/spin.toml");
        Self::start_on(new_state_dir("saboteur-"), manifest, arguments, &[])
    }

    /// A host with a manifest of its own, in which `policy` is added to `[application.tool.socar]`. The test may change
    /// the manifest later, with [`Saboteur::deploy`].
    pub fn start_with(policy: &str, arguments: &[&str]) -> Self {
        Self::start_in(&[], policy, arguments)
    }

    /// A host like that of [`Saboteur::start_with`], with these variables of its environment.
    pub fn start_in(
        environment: &[(&'static str, String)],
        policy: &str,
        arguments: &[&str],
    ) -> Self {
        let state_dir = new_state_dir("saboteur-");
        let manifest = manifest_in(state_dir.path());
        let files = manifest.with_file_name("files");
        std::fs::create_dir_all(&files).expect("a folder for the application");
        std::fs::copy(root().join(FILE), files.join("note.txt")).expect("a copy of the file");
        std::fs::write(&manifest, manifest_with(policy)).expect("a manifest");
        Self::start_on(state_dir, &manifest, arguments, environment)
    }

    /// A host with this manifest and the components of these packages. The test may change the manifest later, with
    /// [`Saboteur::deploy`].
    pub fn start_application(text: &str, packages: &[&str], arguments: &[&str]) -> Self {
        packages.iter().for_each(|package| build_component(package));
        let state_dir = new_state_dir("saboteur-");
        let manifest = manifest_in(state_dir.path());
        let folder = manifest.parent().expect("a folder of the manifest");
        std::fs::create_dir_all(folder).expect("a folder for the application");
        std::fs::write(&manifest, text).expect("a manifest");
        Self::start_on(state_dir, &manifest, arguments, &[])
    }

    fn start_on(
        state_dir: TempDir,
        manifest: &Path,
        arguments: &[&str],
        environment: &[(&'static str, String)],
    ) -> Self {
        build_component("saboteur");
        let mut command = host_command(manifest, state_dir.path(), arguments);
        command.envs(environment.iter().cloned());
        let process = Process::start("socar", command, state_dir.path());
        let url = process.wait_for(START_TIMEOUT, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let url = url.unwrap_or_else(|reason| panic!("{reason}"));
        Self {
            client: Client::new(&url, Protocol::Http1),
            process,
            url,
            state_dir,
        }
    }

    // === requests ===

    /// The response to a GET, whatever its status.
    #[track_caller]
    pub fn call(&self, path: &str) -> Response {
        self.get(path).send()
    }

    /// Begins a GET.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// Begins a request.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path)
    }

    /// A TCP connection to the host, for requests that no client would send.
    pub fn connect(&self) -> TcpStream {
        let address = self.url.trim_start_matches("http://");
        TcpStream::connect(address).expect("a connection")
    }

    /// The URL of the host.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The admin port of the host.
    pub fn admin(&self) -> AdminPort<'_> {
        AdminPort::new(&self.client, self.state_dir())
    }

    // === process ===

    /// The output of the host since its start.
    pub fn log(&self) -> String {
        self.process.output_since(0)
    }

    /// The processor time of the host's threads so far, in clock ticks by thread name; see [`Process::cpu_ticks`].
    pub fn cpu_ticks(&self) -> BTreeMap<String, u64> {
        self.process.cpu_ticks()
    }

    /// Stops the host with SIGTERM, waits, and returns its exit status.
    pub fn terminate(&self) -> ExitStatus {
        self.process.terminate()
    }

    /// Kills the host with SIGKILL.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Sends SIGHUP, which makes the host reload its manifest.
    pub fn send_sighup(&self) {
        self.process.send_sighup();
    }

    /// The state directory of the host.
    pub fn state_dir(&self) -> &Path {
        self.state_dir.path()
    }

    // === new versions ===

    /// The manifest of a host that was started with [`Saboteur::start_with`].
    pub fn manifest(&self) -> PathBuf {
        manifest_in(self.state_dir())
    }

    /// Replaces the manifest, runs `socar reload`, which must succeed, and returns its output.
    #[track_caller]
    pub fn deploy(&self, manifest: &str) -> String {
        let (is_done, output) = self.try_deploy(manifest);
        assert!(is_done, "{output}");
        output
    }

    /// Like [`Saboteur::deploy`] with a manifest that the host must refuse.
    #[track_caller]
    pub fn deploy_refused(&self, manifest: &str) -> String {
        let (is_done, output) = self.try_deploy(manifest);
        assert!(!is_done, "{output}");
        output
    }

    fn try_deploy(&self, manifest: &str) -> (bool, String) {
        std::fs::write(self.manifest(), manifest).expect("a manifest");
        let mut command = socar();
        command.arg("reload").arg("--state-dir");
        let output = command.arg(self.state_dir()).output();
        let output = output.expect("socar starts");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        (output.status.success(), text)
    }
}

/// The text of the saboteur's manifest, with these lines added to `[application.tool.socar]`. It can be read from any
/// folder.
pub fn manifest_with(policy: &str) -> String {
    read("tests/saboteur/spin.toml")
        .replace("../../target", &root().join("target").to_string_lossy())
        .replace("breaker = false\n", &format!("breaker = false\n{policy}\n"))
}

/// The last lines of a policy ([`Saboteur::start_with`]): they set the deadline of both components.
pub fn call_deadline(deadline: &str) -> String {
    ["saboteur", "neighbour"]
        .map(|id| format!("\n[component.{id}.tool.socar]\ndeadline = \"{deadline}\"\n"))
        .concat()
}

fn manifest_in(state_dir: &Path) -> PathBuf {
    state_dir.join("app").join("spin.toml")
}

/// The command that starts a host with this manifest and state directory.
pub fn host_command(manifest: &Path, state_dir: &Path, arguments: &[&str]) -> Command {
    let mut command = socar();
    command
        .args(["up", "--listen", "127.0.0.1:0", "-f"])
        .arg(manifest)
        .arg("--state-dir")
        .arg(state_dir)
        .args(arguments);
    command
}
