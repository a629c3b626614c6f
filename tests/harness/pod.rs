//! A pod as a process of this machine: the arguments, the environment and the files are those that the cluster would give
//! it. Paths of the container become paths of this machine, and fixed ports free ones; nothing else differs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Client, Protocol};
use crate::components::ensure_built;
use crate::kubernetes::Manifests;
use crate::process::Process;
use crate::programs::socar;
use crate::workspace::{new_state_dir, read, root};

const START_TIMEOUT: Duration = Duration::from_secs(180);

/// The keys and values of each secret that the manifests expect, by its name.
pub type Secrets = BTreeMap<&'static str, BTreeMap<&'static str, String>>;

/// What the process of a pod is started with.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Arguments with the paths of the container.
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    /// The paths of the container, with the paths of this machine.
    mounts: BTreeMap<String, PathBuf>,
    folders: Vec<Arc<TempDir>>,
}

/// A running pod; dropping it kills the process.
#[derive(Debug)]
pub struct RunningPod {
    process: Process,
    client: Client,
    /// Its volumes, which exist as long as it runs.
    _folders: Vec<Arc<TempDir>>,
}

// === impl Pod ===

impl Pod {
    /// A replica of a Deployment or StatefulSet, with volumes of its own.
    ///
    /// # Panics
    /// When the manifest names a ConfigMap or a secret that does not exist.
    pub fn of_workload(manifests: &Manifests, workload: &Value, secrets: &Secrets) -> Self {
        let specification = &workload["spec"]["template"]["spec"];
        let container = &specification["containers"][0];
        let mut pod = Self::of_image(texts(&container["args"]));
        let volumes =
            list(&specification["volumes"]).chain(list(&workload["spec"]["volumeClaimTemplates"]));
        for volume in volumes {
            let name = volume.get("metadata").unwrap_or(volume)["name"].clone();
            let mounts = list(&container["volumeMounts"]);
            let folder = volume_folder(manifests, volume, secrets);
            for mount in mounts.filter(|mount| mount["name"] == name) {
                pod.mount(text(&mount["mountPath"]), folder.path());
            }
            pod.folders.push(Arc::new(folder));
        }
        pod
    }

    /// A replica of a SpinApp, as the SpinKube operator makes it for an executor with an image.
    ///
    /// # Panics
    /// When the manifest names a ConfigMap or a secret that does not exist.
    pub fn of_spin_app(manifests: &Manifests, app: &Value, secrets: &Secrets) -> Self {
        let specification = &app["spec"];
        let up = [
            "up",
            "--listen",
            "0.0.0.0:80",
            "-f",
            text(&specification["image"]),
        ];
        let mut arguments: Vec<String> = up.map(str::to_owned).into();
        arguments.extend(["--runtime-config-file", "/runtime-config.toml"].map(str::to_owned));
        let components: Vec<String> = texts(&specification["components"]);
        for component in &components {
            arguments.extend(["--component-id".to_owned(), component.clone()]);
        }
        let mut pod = Self::of_image(arguments);
        for variable in list(&specification["variables"]) {
            let name = format!("SPIN_VARIABLE_{}", text(&variable["name"]).to_uppercase());
            let value = match variable.get("value") {
                Some(value) => text(value).to_owned(),
                None => referenced(manifests, &variable["valueFrom"], secrets),
            };
            pod.environment.insert(name, value);
        }
        pod.environment
            .insert("SPIN_HTTP_LISTEN_ADDR".to_owned(), "0.0.0.0:80".to_owned());
        if !components.is_empty() {
            pod.environment
                .insert("SPIN_COMPONENTS_TO_RETAIN".to_owned(), components.join(","));
        }
        for volume in list(&specification["volumes"]) {
            let folder = volume_folder(manifests, volume, secrets);
            let mounts = list(&specification["volumeMounts"]);
            for mount in mounts.filter(|mount| mount["name"] == volume["name"]) {
                pod.mount(text(&mount["mountPath"]), folder.path());
            }
            pod.folders.push(Arc::new(folder));
        }
        if let Some(secret) = specification["runtimeConfig"]["loadFromSecret"].as_str() {
            let folder = files(secret_values(secrets, secret));
            pod.mount(
                "/runtime-config.toml",
                &folder.path().join("runtime-config.toml"),
            );
            pod.folders.push(Arc::new(folder));
        }
        pod
    }

    /// A container of the image, whose environment is in the Containerfile.
    fn of_image(arguments: Vec<String>) -> Self {
        let containerfile = read("deploy/Containerfile");
        let (_, environment) = containerfile.split_once("\nENV ").unwrap_or_default();
        let environment = environment.lines().map_while(|line| {
            let (name, value) = line.trim().trim_end_matches(" \\").split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let application = application();
        let mounts = [("/app".to_owned(), application.path().to_path_buf())];
        Self {
            arguments,
            environment: environment.collect(),
            mounts: mounts.into(),
            folders: vec![Arc::new(application)],
        }
    }

    fn mount(&mut self, path: &str, source: &Path) {
        self.mounts.insert(path.to_owned(), source.to_path_buf());
    }

    /// The path on this machine of a path in the container.
    pub fn path(&self, path: &str) -> PathBuf {
        self.local(path).into()
    }

    /// Replaces paths of the container and fixed ports.
    fn local(&self, text: &str) -> String {
        let mut text = with_free_ports(text);
        let Some(start) = text.find('/') else {
            return text;
        };
        let path = text.split_off(start);
        let source = self.mounts.iter().find_map(|(mount, source)| {
            let rest = path.strip_prefix(mount.as_str())?;
            Some(format!("{}{rest}", source.display()))
        });
        text + &source.unwrap_or(path)
    }

    /// Starts the process, with nothing in its environment but what the cluster sets.
    ///
    /// # Panics
    /// When it does not serve.
    pub fn start(&self) -> RunningPod {
        ensure_built();
        let mut command: Command = socar();
        command.env_clear();
        command.args(self.arguments.iter().map(|argument| self.local(argument)));
        let environment = self.environment.iter();
        command.envs(environment.map(|(name, value)| (name, self.local(value))));
        self.run(command)
    }

    /// Starts this command, and waits until it serves.
    pub(crate) fn run(&self, command: Command) -> RunningPod {
        let process = Process::start("socar", command, self.folders[0].path());
        let url = process.wait_for(START_TIMEOUT, |line| {
            line.strip_prefix("Serving ").map(str::to_owned)
        });
        let url = url.unwrap_or_else(|reason| panic!("{reason}"));
        RunningPod {
            client: Client::new(&url, Protocol::Http1),
            process,
            _folders: self.folders.clone(),
        }
    }

    /// The paths of the container, and what is mounted there.
    pub(crate) fn mounts(&self) -> impl Iterator<Item = (&str, &Path)> {
        let mounts = self.mounts.iter();
        mounts.map(|(path, source)| (path.as_str(), source.as_path()))
    }

    /// The arguments in the container, with free ports.
    pub(crate) fn container_arguments(&self) -> impl Iterator<Item = String> {
        self.arguments
            .iter()
            .map(|argument| with_free_ports(argument))
    }
}

/// Several pods share the ports of this machine.
fn with_free_ports(argument: &str) -> String {
    let fixed = ["0.0.0.0:3000", "0.0.0.0:9090", "0.0.0.0:80"];
    let replace = |text: String, port: &str| text.replace(port, "127.0.0.1:0");
    fixed.into_iter().fold(argument.to_owned(), replace)
}

// === impl RunningPod ===

impl RunningPod {
    /// A client of the public port.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The output so far.
    pub fn log(&self) -> String {
        self.process.output_since(0)
    }

    /// Sends SIGTERM, as the cluster does first.
    pub fn send_sigterm(&self) {
        self.process.send_sigterm();
    }

    /// Sends SIGTERM, waits, and returns the exit status.
    pub fn terminate(&self) -> ExitStatus {
        self.process.terminate()
    }

    /// Kills the process with SIGKILL.
    pub fn kill(&self) {
        self.process.kill();
    }
}

/// The folder `/app` of the image, without the compiled components: the harness shares a cache.
fn application() -> TempDir {
    let built = format!("\"{}/", root().join("target").display());
    let manifest = read("spin.toml").replace("\"target/", &built);
    files([("spin.toml", manifest.as_str())])
}

fn volume_folder(manifests: &Manifests, volume: &Value, secrets: &Secrets) -> TempDir {
    if let Some(name) = volume["configMap"]["name"].as_str() {
        let data = manifests.find("ConfigMap", name)["data"].clone();
        let data = data.as_object().cloned().unwrap_or_default();
        return files(
            data.iter()
                .map(|(name, value)| (name.as_str(), text(value))),
        );
    }
    match volume["secret"]["secretName"].as_str() {
        Some(name) => files(secret_values(secrets, name)),
        None => new_state_dir("pod-"),
    }
}

fn secret_values<'a>(secrets: &'a Secrets, name: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let secret = secrets
        .get(name)
        .unwrap_or_else(|| panic!("there is no secret {name}"));
    secret.iter().map(|(key, value)| (*key, value.as_str()))
}

fn referenced(manifests: &Manifests, reference: &Value, secrets: &Secrets) -> String {
    if let Some(reference) = reference.get("configMapKeyRef") {
        let map = manifests.find("ConfigMap", text(&reference["name"]));
        return text(&map["data"][text(&reference["key"])]).to_owned();
    }
    let reference = &reference["secretKeyRef"];
    let mut values = secret_values(secrets, text(&reference["name"]));
    let found = values.find(|(key, _)| reference["key"] == **key);
    found
        .map(|(_, value)| value.to_owned())
        .unwrap_or_else(|| panic!("no key for {reference}"))
}

/// A folder with these files.
fn files<'a>(contents: impl IntoIterator<Item = (&'a str, &'a str)>) -> TempDir {
    let folder = TempDir::with_prefix("pod-files-").unwrap_or_else(|error| panic!("{error}"));
    for (name, content) in contents {
        fs::write(folder.path().join(name), content).unwrap_or_else(|error| panic!("{error}"));
    }
    folder
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Vec<String> {
    list(value).map(|value| text(value).to_owned()).collect()
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}
