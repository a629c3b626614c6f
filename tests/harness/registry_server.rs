//! A real registry: `docker-registry` of Debian, which is the registry of the CNCF.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Process;
use crate::programs::{ensure_program, find_or_install};
use crate::registry_stub::REGISTRY_USER;
use crate::reserved_port::ReservedPort;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running registry on a port of its own. Dropping it stops the server.
#[derive(Debug)]
pub struct RegistryServer {
    port: ReservedPort,
    process: Process,
    folder: TempDir,
}

/// Who may use the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryClients {
    /// Every client.
    All,
    /// Clients with the credentials [`REGISTRY_USER`].
    LoggedIn,
    /// Clients that trust the certificate of the registry, over TLS.
    Trusting,
}

// === impl RegistryServer ===

impl RegistryServer {
    /// Starts an empty registry; it is installed first where that is allowed. `None`, with a message, on a machine that
    /// has none and where it may not be installed.
    ///
    /// # Panics
    /// When the registry does not start.
    pub fn start(clients: RegistryClients) -> Option<Self> {
        let program = match find_or_install("docker-registry", "docker-registry") {
            Ok(program) => program,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                return None;
            }
        };
        let openssl = match clients {
            RegistryClients::Trusting => Some(ensure_program("openssl", "openssl")),
            _ => None,
        };
        let folder = TempDir::with_prefix("socar-registry-")
            .unwrap_or_else(|error| panic!("no folder for the registry: {error}"));
        if let Some(openssl) = &openssl {
            make_certificate(openssl, folder.path());
        }
        let port = ReservedPort::any();
        let config = folder.path().join("config.yml");
        write(&config, &configuration(port.address(), clients, &folder));
        let mut command = Command::new(&program);
        command.arg("serve").arg(&config).current_dir(folder.path());
        let process = Process::start("docker-registry", command, folder.path());
        wait_until_it_accepts_connections(port.address(), &process);
        Some(Self {
            port,
            process,
            folder,
        })
    }

    /// The host and port.
    pub fn host(&self) -> String {
        self.port.address().to_string()
    }

    /// The reference of an application in this registry, such as `127.0.0.1:4711/app:1`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// The file of its certificate, if it has one.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join(CERTIFICATE)
    }

    /// Kills the registry.
    pub fn kill(&self) {
        self.process.kill();
    }
}

/// Its log says that it listens before it does.
///
/// # Panics
/// When it accepts none in time.
fn wait_until_it_accepts_connections(address: SocketAddr, process: &Process) {
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        let output = process.output_since(0);
        assert!(
            Instant::now() < deadline,
            "the registry does not start: {output}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn configuration(address: SocketAddr, clients: RegistryClients, folder: &TempDir) -> String {
    let root = folder.path().display();
    let mut text = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {root}/data\nhttp:\n  addr: {address}\n"
    );
    if clients == RegistryClients::LoggedIn {
        write(&folder.path().join("users"), &htpasswd());
        text += &format!("auth:\n  htpasswd:\n    realm: socar\n    path: {root}/users\n");
    }
    if clients == RegistryClients::Trusting {
        text += &format!(
            "  tls:\n    certificate: {root}/{CERTIFICATE}\n    key: {root}/{PRIVATE_KEY}\n"
        );
    }
    text
}

/// Makes a certificate for this machine that nothing else trusts.
///
/// # Panics
/// When `openssl` fails.
fn make_certificate(openssl: &Path, folder: &Path) {
    let mut command = Command::new(openssl);
    command.current_dir(folder).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=registry of a test",
        "-keyout",
        PRIVATE_KEY,
        "-out",
        CERTIFICATE,
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
    ]);
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("openssl does not start: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl: {errors}");
}

const CERTIFICATE: &str = "certificate.pem";
const PRIVATE_KEY: &str = "key.pem";

/// The user with the password as bcrypt made it, with the least cost.
fn htpasswd() -> String {
    let (user, _) = REGISTRY_USER;
    format!("{user}:{PASSWORD_HASH}\n")
}

/// Of the password in [`REGISTRY_USER`].
const PASSWORD_HASH: &str = "$2b$04$abcdefghijklmnopqrstuuho/ppTcmsBIj2TNMdOGwEUcNR/Zfi5u";

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
