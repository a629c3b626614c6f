//! Do new policies and variables take effect without a restart when their files change, as those of a ConfigMap do?

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use harness::{Client, Process, Protocol, eventually, new_state_dir};
use http::Method;
use tempfile::TempDir;

use crate::saboteur::{Saboteur, host_command};

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

/// A variable would have its default: payments would no longer be asked of their gateway.
#[test]
fn a_reload_without_a_file_that_was_read_is_refused() {
    let folder = TempDir::new().expect("a directory");
    let dotenv = folder.path().join("values.env");
    fs::write(&dotenv, "SPIN_VARIABLE_GREETING=hello\n").expect("a file of variables");
    let file = folder.path().join("runtime-config.toml");
    let provider = format!("[[variables_provider]]\ntype = \"env\"\ndotenv_path = {dotenv:?}\n");
    fs::write(&file, provider).expect("a runtime configuration");
    let flag = file.to_str().expect("a path");
    let saboteur = Saboteur::start(&["--runtime-config-file", flag]);
    let admin = saboteur.admin();
    let reload = || admin.request(Method::POST, "/reload").send();
    for gone in [&file, &dotenv] {
        let aside = folder.path().join("aside");
        fs::rename(gone, &aside).expect("a file that is gone");
        let refused = reload().is(422).text();
        let gone_name = gone.to_str().expect("a path");
        let is_named = refused.contains(gone_name) && refused.contains("restore it");
        assert!(is_named, "{refused}");
        assert_eq!(saboteur.call("/var?name=greeting").text(), "hello, world");
        fs::rename(&aside, gone).expect("a restored file");
    }
    reload().is(200);
    assert_eq!(saboteur.call("/var?name=greeting").text(), "hello, world");
}

/// A second read of a pipe gives nothing, or waits for ever.
#[test]
fn a_reload_that_would_read_a_pipe_again_is_refused() {
    let folder = TempDir::new().expect("a directory");
    let pipe = pipe(&folder);
    let value = format!("greeting=@{}", pipe.display());
    let saboteur = thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, "good day\n").expect("a reader"));
        Saboteur::start(&["--variable", &value])
    });
    assert_eq!(
        saboteur.call("/var?name=greeting").text(),
        "good day, world"
    );
    let admin = saboteur.admin();
    let refused = admin.request(Method::POST, "/reload").send().is(422).text();
    assert!(refused.contains("is a pipe"), "{refused}");
    assert_eq!(
        saboteur.call("/var?name=greeting").text(),
        "good day, world"
    );
}

#[test]
fn a_stop_signal_ends_a_start_that_waits_for_a_pipe() {
    let folder = TempDir::new().expect("a directory");
    let value = format!("greeting=@{}", pipe(&folder).display());
    let state = new_state_dir("pipe-");
    let command = host_command(
        Path::new("tests/saboteur/spin.toml"),
        state.path(),
        &["--variable", &value],
    );
    let process = Process::start("socar", command, state.path());
    // It has not begun to listen for signals at first, and does not tell when it waits.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(process.terminate().code(), Some(0));
}

fn pipe(folder: &TempDir) -> PathBuf {
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()));
    pipe
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
