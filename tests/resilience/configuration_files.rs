//! Do new policies and variables take effect without a restart when their files change, as those of a ConfigMap do?

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use harness::{Client, Protocol, eventually};
use http::Method;
use tempfile::TempDir;

use crate::saboteur::Saboteur;

/// A directory in which Kubernetes mounts a ConfigMap: its files are links into a directory, which is replaced as a
/// whole.
struct ConfigMap(TempDir);

// === impl ConfigMap ===

impl ConfigMap {
    fn new(deadline: &str, greeting: &str) -> Self {
        let map = Self(TempDir::with_prefix("config-map-").expect("a directory"));
        map.write("..v1", deadline, greeting);
        symlink("..v1", map.path("..data")).expect("a link");
        for file in ["policies.toml", "variables.toml"] {
            symlink(Path::new("..data").join(file), map.path(file)).expect("a link");
        }
        map
    }

    fn replace(&self, deadline: &str, greeting: &str) {
        self.write("..v2", deadline, greeting);
        symlink("..v2", self.path("..next")).expect("a link");
        fs::rename(self.path("..next"), self.path("..data")).expect("the new link");
    }

    fn write(&self, version: &str, deadline: &str, greeting: &str) {
        let directory = self.path(version);
        fs::create_dir_all(&directory).expect("a directory");
        let policies = format!("[component.saboteur.tool.socar]\ndeadline = {deadline:?}\n");
        fs::write(directory.join("policies.toml"), policies).expect("policies");
        let variables = format!("greeting = {greeting:?}\n");
        fs::write(directory.join("variables.toml"), variables).expect("variables");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn host(map: &ConfigMap) -> Saboteur {
    let policies = map.path("policies.toml").to_string_lossy().into_owned();
    let variables = format!("@{}", map.path("variables.toml").display());
    let arguments = ["--policies", &policies, "--variable", &variables];
    Saboteur::start_with("", &[&arguments[..], &["--reload-on-change"]].concat())
}

#[test]
fn a_replaced_config_map_takes_effect_without_a_restart() {
    let map = ConfigMap::new("2s", "hello");
    let saboteur = host(&map);
    assert_eq!(saboteur.call("/var?name=greeting").text(), "hello, world");
    saboteur.call("/sleep?ms=700").is(200);
    map.replace("300ms", "good evening");
    let greeting = || saboteur.call("/var?name=greeting").is(200).text();
    eventually(greeting, |greeting| greeting == "good evening, world");
    saboteur
        .call("/sleep?ms=700")
        .problem(504, "deadline-exceeded");
    let generation = saboteur.admin().json("/instances")["generation"].clone();
    assert_eq!(generation, 2);
}

#[test]
fn a_wrong_file_is_refused_and_the_version_keeps_running() {
    let map = ConfigMap::new("2s", "hello");
    let saboteur = host(&map);
    map.replace("soon", "good evening");
    let log = eventually(|| saboteur.log(), |log| log.contains("reload refused"));
    assert!(
        log.contains("policies.toml:2") && log.contains("not a duration"),
        "{log}"
    );
    assert_eq!(saboteur.call("/var?name=greeting").text(), "hello, world");
}

#[test]
fn the_admin_token_may_be_in_a_file() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), "a-token-of-the-operators\n").expect("a token");
    let token = format!("@{}", file.path().display());
    let saboteur = Saboteur::start(&["--admin-token", &token]);
    let address = saboteur.state_dir().join("admin-url");
    let address = fs::read_to_string(address).expect("the admin address");
    let admin = Client::new(address.trim(), Protocol::Http1);
    admin.request(Method::GET, "/breakers").send().is(401);
    let request = admin.request(Method::GET, "/breakers");
    request
        .header("authorization", "Bearer a-token-of-the-operators")
        .send()
        .is(200);
}

/// The SpinKube operator passes the flag to every application.
#[test]
fn an_absent_runtime_configuration_is_tolerated_with_a_warning() {
    let folder = TempDir::new().expect("a directory");
    let file = folder.path().join("absent.toml");
    let file = file.to_str().expect("a path");
    let saboteur = Saboteur::start(&["--runtime-config-file", file]);
    saboteur.call("/readyz").is(200);
    let log = saboteur.log();
    let is_named = log.contains("there is no runtime configuration") && log.contains(file);
    assert!(is_named, "{log}");
}
