//! The configuration of a platform: backend, variables, arguments and manifest.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::components::ensure_built;
use crate::process::Process;
use crate::programs::socar;
use crate::redis_server::RedisServer;
use crate::workspace::{new_state_dir, read, root};

/// The backend of a platform, which keeps its state and its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Files in the state directory.
    Embedded,
    /// A Redis server.
    Redis,
}

/// The configuration of a platform that a test starts for itself.
#[derive(Debug, Clone)]
pub struct Setup {
    mode: Mode,
    listen: String,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    manifest: Option<String>,
    application: Option<String>,
    state: Option<Arc<TempDir>>,
    redis: Option<Arc<RedisServer>>,
}

impl Setup {
    /// An empty platform with the shipped manifest.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            listen: "127.0.0.1:0".to_owned(),
            variables: Vec::new(),
            arguments: Vec::new(),
            environment: Vec::new(),
            manifest: None,
            application: None,
            state: None,
            redis: None,
        }
    }

    /// Uses this Redis server, which the test may kill. [`Mode::Redis`] only.
    pub fn on(mut self, redis: &Arc<RedisServer>) -> Self {
        self.redis = Some(Arc::clone(redis));
        self
    }

    /// Listens on this address in place of any free port.
    pub(crate) fn listen(mut self, address: &str) -> Self {
        address.clone_into(&mut self.listen);
        self
    }

    /// Sets an application variable.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the components verify the access tokens of an issuer, as on stock Spin, and the host none.
    pub fn verified_by_components(self, issuer: &str, keys: &str) -> Self {
        let without_policy = |manifest: &str| -> String {
            let is_policy = |line: &&str| {
                let mut names = ["issuer", "audience", "roles"].iter();
                let is_of_host =
                    names.any(|name| *line == format!("{name} = \"{{{{ identity_{name} }}}}\""));
                is_of_host || *line == "linked = false"
            };
            let kept = manifest.lines().filter(|line| !is_policy(line));
            kept.collect::<Vec<_>>().join("\n")
        };
        self.manifest(without_policy)
            .variable("identity_verifier", "components")
            .variable("identity_issuer", issuer)
            .variable("identity_audience", "socar")
            .variable("identity_keys", keys)
    }

    /// Adds an argument of `socar up`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Sets a variable of the environment of the host.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Replaces the manifest with the shipped one as `edit` changes it.
    pub fn manifest(mut self, edit: impl FnOnce(&str) -> String) -> Self {
        self.manifest = Some(edit(&read("spin.toml")));
        self
    }

    /// Runs an application of a registry on this machine in place of the shipped manifest.
    pub fn application(mut self, reference: &str) -> Self {
        self.application = Some(reference.to_owned());
        self.argument("--insecure")
    }

    /// Uses this state directory, which may be that of a platform that has ended.
    pub fn in_state_dir(mut self, state: &Arc<TempDir>) -> Self {
        self.state = Some(Arc::clone(state));
        self
    }

    /// The same configuration with an empty state directory and the same Redis server.
    pub(crate) fn with_new_state(mut self) -> Self {
        self.state = None;
        self
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The state directory; empty before the first launch.
    pub(crate) fn state_dir(&self) -> &Path {
        let state = self.state.as_ref();
        state.map_or(Path::new(""), |folder| folder.path())
    }

    /// The state directory of a platform that was launched.
    pub(crate) fn state(&self) -> Arc<TempDir> {
        let state = self.state.as_ref();
        let state = state.unwrap_or_else(|| panic!("the platform was not launched"));
        Arc::clone(state)
    }

    pub(crate) fn redis_url(&self) -> Option<String> {
        self.redis.as_ref().map(|redis| redis.url())
    }

    /// Starts the host, after the components and, if there is none yet, a Redis server and a state directory.
    pub(crate) fn launch(&mut self) -> Process {
        ensure_built();
        if self.mode == Mode::Redis {
            self.redis
                .get_or_insert_with(|| Arc::new(RedisServer::start()));
        }
        self.state
            .get_or_insert_with(|| Arc::new(new_state_dir("socar-state-")));
        Process::start("socar", self.command(), self.state_dir())
    }

    fn command(&self) -> Command {
        let mut command = socar();
        command
            .args(["up", "--listen", &self.listen, "-f"])
            .arg(self.manifest_file())
            .arg("--state-dir")
            .arg(self.state_dir())
            .args(&self.arguments)
            .envs(self.environment.iter().cloned());
        if let Some(url) = self.redis_url() {
            command.args(["--redis-url", &url]);
        }
        for (name, value) in &self.variables {
            command.args(["--variable", &format!("{name}={value}")]);
        }
        command
    }

    /// The reference of an application, the shipped manifest, or a file in the state directory with absolute paths to the components.
    fn manifest_file(&self) -> PathBuf {
        if let Some(reference) = &self.application {
            return reference.into();
        }
        let Some(text) = &self.manifest else {
            return "spin.toml".into();
        };
        let built = format!("\"{}/", root().join("target").display());
        let file = self.state_dir().join("spin.toml");
        std::fs::write(&file, text.replace("\"target/", &built))
            .unwrap_or_else(|error| panic!("no manifest at {}: {error}", file.display()));
        file
    }
}
