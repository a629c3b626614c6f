//! Does an application travel through a registry and stay the same? With `docker-registry` of Debian; where it is
//! missing and may not be installed, these tests say so and check nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use harness::{
    Mode, REGISTRY_USER, RegistryClients, RegistryServer, Setup, ensure_built, new_state_dir, socar,
};
use tempfile::TempDir;

/// `socar registry` with the credentials in this folder.
fn registry(arguments: &[&str], credentials: &Path) -> Output {
    let mut command: Command = socar();
    command.arg("registry").args(arguments);
    command.env("DOCKER_CONFIG", credentials);
    let output = command.output().expect("socar starts");
    let text = text(&output);
    let (_, password) = REGISTRY_USER;
    assert!(!text.contains(password), "{text}");
    output
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// The one line that a command prints when it succeeds.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(!line.contains('\n'), "{line}");
    line
}

fn folder() -> TempDir {
    TempDir::with_prefix("registry-").expect("a folder")
}

#[test]
fn the_platform_is_pushed_and_runs_from_the_registry_and_then_without_it() {
    let Some(server) = RegistryServer::start(RegistryClients::All) else {
        return;
    };
    ensure_built();
    let none = folder();
    let tag = server.reference("team/socar:1");
    let pushed = printed(&registry(&["push", "--insecure", &tag], none.path()));
    let name = server.reference("team/socar@sha256:");
    assert!(pushed.starts_with(&name), "{pushed}");

    let state = Arc::new(new_state_dir("registry-"));
    let setup = |reference: &str| {
        let setup = Setup::new(Mode::Embedded).application(reference);
        setup.in_state_dir(&state)
    };
    let platform = setup(&tag).start();
    let car = platform.register_car("from a registry");
    let reservation = platform.reserve_and_confirm(&car);
    platform.terminate();

    // Everything is in the state directory: a start by digest sends no request.
    server.kill();
    let platform = setup(&pushed).start();
    platform.wait_for_status(&reservation, "reserved");
    platform.register_car("without the registry");
    platform.terminate();

    let directory = state.path().to_string_lossy();
    let pull = ["pull", "--insecure", "--state-dir", &directory, &tag];
    let refused = text(&registry(&pull, none.path()));
    assert!(
        refused.contains("cannot connect to 127.0.0.1:") && refused.contains("3 attempts"),
        "{refused}"
    );
}

#[test]
fn a_new_version_under_the_same_tag_takes_over_at_a_reload() {
    let Some(server) = RegistryServer::start(RegistryClients::All) else {
        return;
    };
    let none = folder();
    let tag = server.reference("socar:current");
    let push = |file: &str| printed(&registry(&["push", "-k", "-f", file, &tag], none.path()));
    ensure_built();
    let first = push("spin.toml");
    let platform = Setup::new(Mode::Embedded).application(&tag).start();
    let car = platform.register_car("kept");

    let next = none.path().join("spin.toml");
    let manifest = harness::read("spin.toml").replace("version = \"0.1.0\"", "version = \"0.2.0\"");
    let built = format!("\"{}/", harness::root().join("target").display());
    std::fs::write(&next, manifest.replace("\"target/", &built)).expect("a manifest");
    let second = push(&next.to_string_lossy());
    assert_ne!(first, second);
    let reload = platform
        .admin()
        .request(http::Method::POST, "/reload")
        .send();
    reload.is(200);
    let info = platform.get("/.well-known/spin/info").send().is(200).json();
    assert_eq!(info["version"], "0.2.0");
    platform.reserve_and_confirm(&car);
}

#[test]
fn the_same_application_has_the_same_digest_and_is_sent_once() {
    let Some(server) = RegistryServer::start(RegistryClients::All) else {
        return;
    };
    ensure_built();
    let push = |tag: &str| {
        let mut command = socar();
        command.args(["registry", "push", "--insecure", &server.reference(tag)]);
        command.env("SOURCE_DATE_EPOCH", "1767225600");
        printed(&command.output().expect("socar starts"))
    };
    let digest = |name: String| name.split_once('@').map(|(_, digest)| digest.to_owned());
    assert_eq!(digest(push("socar:1")), digest(push("socar:2")));
}

#[test]
fn a_private_registry_asks_for_the_credentials_of_docker() {
    let Some(server) = RegistryServer::start(RegistryClients::LoggedIn) else {
        return;
    };
    ensure_built();
    let credentials = |user: &str, password: &str| {
        let folder = folder();
        let auth = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{user}:{password}"),
        );
        let config = serde_json::json!({"auths": {server.host(): {"auth": auth}}});
        let file = folder.path().join("config.json");
        std::fs::write(file, config.to_string()).expect("credentials");
        folder
    };
    let tag = server.reference("socar:1");
    let push = ["push", "--insecure", &tag];
    let refused = text(&registry(&push, folder().path()));
    assert!(
        refused.contains("asks for credentials (401)") && refused.contains("docker login"),
        "{refused}"
    );
    let (user, password) = REGISTRY_USER;
    let refused = text(&registry(&push, credentials(user, "wrong").path()));
    assert!(
        refused.contains("refuses the credentials") && !refused.contains("wrong"),
        "{refused}"
    );
    let valid = credentials(user, password);
    let pushed = printed(&registry(&push, valid.path()));
    let state = folder();
    let directory = state.path().to_string_lossy();
    let pull = ["pull", "--insecure", "--state-dir", &directory, &tag];
    assert_eq!(printed(&registry(&pull, valid.path())), pushed);
}

#[test]
fn a_registry_with_a_certificate_of_its_own_is_trusted_by_ssl_cert_file_only() {
    let Some(server) = RegistryServer::start(RegistryClients::Trusting) else {
        return;
    };
    ensure_built();
    let tag = server.reference("socar:1");
    let push = |certificate: Option<PathBuf>| {
        let mut command = socar();
        command.args(["registry", "push", &tag]);
        command.envs(certificate.map(|file| ("SSL_CERT_FILE", file)));
        command.output().expect("socar starts")
    };
    let refused = text(&push(None));
    assert!(
        refused.contains("certificate") && refused.contains("in SSL_CERT_FILE"),
        "{refused}"
    );
    printed(&push(Some(server.certificate())));
}
