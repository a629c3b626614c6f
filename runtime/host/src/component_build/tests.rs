//! Build commands run in a temporary directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Toolchain, build, plan};
use config::manifest::{App, Overrides};

/// An application with these components: the name and the value of `build`.
fn app(components: &[(&str, &str)]) -> (TempDir, App) {
    let root = tempfile::tempdir().expect("a directory");
    let mut text =
        "spin_manifest_version = 2\napplication.name = \"shop\"\ntrigger.http = []\n".to_owned();
    for (name, build) in components {
        text += &format!("[component.{name}]\nsource = \"{name}.wasm\"\nbuild = {build}\n");
    }
    fs::write(root.path().join("spin.toml"), text).expect("a manifest");
    let app = App::load(root.path(), &Overrides::default());
    (root, app.unwrap_or_else(|error| panic!("{error}")))
}

/// The error of a build; the directory is replaced by `DIR`.
async fn failure(command: &str) -> String {
    let (root, app) = app(&[("car", command)]);
    let message = build(&app).await.expect_err("a failure").to_string();
    message.replace(&root.path().display().to_string(), "DIR")
}

#[tokio::test]
async fn commands_run_in_order_in_their_workdir() {
    let (root, app) = app(&[
        (
            "car",
            "{ command = [\"mkdir sub\", \"echo 1 >> sub/log\"] }",
        ),
        (
            "payment",
            "{ command = \"echo 2 >> log\", workdir = \"sub\" }",
        ),
    ]);
    build(&app).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        fs::read_to_string(root.path().join("sub/log")).expect("a log"),
        "1\n2\n"
    );
}

#[tokio::test]
async fn a_command_that_components_share_runs_once() {
    let shared = "{ command = \"echo x >> log\" }";
    let (root, app) = app(&[("car", shared), ("payment", shared)]);
    assert_eq!(plan(&app)[0].names(), "car, payment");
    build(&app).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        fs::read_to_string(root.path().join("log")).expect("a log"),
        "x\n"
    );
}

#[tokio::test]
async fn consecutive_builds_of_packages_are_one_step() {
    let build = |package: &str| format!("{{ command = \"cargo build -p {package}\" }}");
    let commands = [build("car"), build("payment"), build("message")];
    let [car, payment, message] = &commands;
    let other = "{ command = \"echo x\" }";
    let (_root, app) = app(&[
        ("car", car),
        ("payment", payment),
        ("frontend", other),
        ("message", message),
    ]);
    let steps = plan(&app);
    let planned = steps.iter().map(|step| (step.names(), &*step.command));
    let expected = [
        ("car, payment", "cargo build -p car -p payment"),
        ("frontend", "echo x"),
        ("message", "cargo build -p message"),
    ];
    assert!(planned.eq(expected.map(|(names, command)| (names.to_owned(), command))));
}

#[tokio::test]
async fn a_build_command_does_not_inherit_the_package_of_the_host() {
    assert!(
        std::env::var_os("CARGO_PKG_NAME").is_some(),
        "cargo runs this test"
    );
    let (_root, app) = app(&[("car", "{ command = \"test -z \\\"$CARGO_PKG_NAME\\\"\" }")]);
    build(&app).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test]
async fn a_failed_command_is_reported_with_its_component_and_the_reason() {
    for (command, expected) in [
        (
            "{ command = \"exit 3\" }",
            r#"DIR/spin.toml:6: `component.car.build.command` = "exit 3": building component car failed (exit status: 3); correct the errors above, then start again"#,
        ),
        (
            "{ command = \"no-such-program x\" }",
            r#"DIR/spin.toml:6: `component.car.build.command` = "no-such-program x": building component car failed (the shell does not find the program); correct the errors above, then start again"#,
        ),
        (
            "{ command = \"kill -9 $$\" }",
            r#"DIR/spin.toml:6: `component.car.build.command` = "kill -9 $$": building component car failed (signal: 9 (SIGKILL)); correct the errors above, then start again"#,
        ),
        (
            "{ command = \"true\", workdir = \"nowhere\" }",
            r#"DIR/spin.toml:6: `component.car.build.command` = "true": building component car failed (cannot be run in DIR/nowhere: No such file or directory (os error 2)); correct the command or its workdir"#,
        ),
    ] {
        assert_eq!(failure(command).await, expected);
    }
}

#[tokio::test]
async fn only_a_missing_target_is_installed() {
    let tools = tempfile::tempdir().expect("a directory");
    let script = |name: &str, text: String| script(tools.path(), name, &text);
    let present = script("rustc-present", format!("echo {}", tools.path().display()));
    let missing = script("rustc-missing", "echo /no/such/directory".to_owned());
    let log = tools.path().join("log");
    let rustup = script("rustup", format!("echo $@ >> {}", log.display()));
    let (_root, app) = app(&[(
        "car",
        "{ command = \"cargo build --target wasm32-wasip2\" }",
    )]);
    let steps = plan(&app);
    let ensure = async |rustc: &Path| {
        let toolchain = Toolchain {
            rustc: rustc.to_owned(),
            rustup: rustup.clone(),
        };
        toolchain
            .ensure_target(&steps[0])
            .await
            .unwrap_or_else(|error| panic!("{error}"));
    };
    ensure(&present).await;
    assert!(!log.exists(), "nothing to install");
    ensure(&missing).await;
    assert_eq!(
        fs::read_to_string(&log).expect("a log"),
        "target add wasm32-wasip2\n"
    );
}

#[tokio::test]
async fn a_target_that_cannot_be_installed_stops_the_build() {
    let tools = tempfile::tempdir().expect("a directory");
    let rustc = script(tools.path(), "rustc", "echo /no/such/directory");
    let rustup = script(tools.path(), "rustup", "exit 1");
    let (_root, app) = app(&[(
        "car",
        "{ command = \"cargo build --target wasm32-wasip2\" }",
    )]);
    let error = async |rustc: PathBuf, rustup: PathBuf| {
        let toolchain = Toolchain { rustc, rustup };
        let steps = plan(&app);
        let refused = toolchain.ensure_target(&steps[0]);
        refused.await.expect_err("no target").to_string()
    };
    let failed = error(rustc.clone(), rustup.clone()).await;
    assert!(failed.ends_with("building component car failed (`rustup target add wasm32-wasip2` failed: exit status: 1); install the target with `rustup target add wasm32-wasip2`"), "{failed}");
    let absent = error(rustc, tools.path().join("none")).await;
    assert!(
        absent.contains("the target wasm32-wasip2 is missing and rustup cannot be run"),
        "{absent}"
    );
    let no_rust = error(tools.path().join("none"), rustup).await;
    assert!(
        no_rust.ends_with("; install Rust from https://rustup.rs"),
        "{no_rust}"
    );
}

fn script(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("an executable script");
    path
}

#[tokio::test]
async fn a_dropped_build_ends_its_command_with_all_that_it_started() {
    let (root, app) = app(&[("car", "{ command = \"sleep 301 & echo $! > pid; wait\" }")]);
    let pid = root.path().join("pid");
    let written = async {
        while !fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        built = build(&app) => panic!("{built:?}"),
        () = written => {}
    }
    let process = PathBuf::from("/proc").join(fs::read_to_string(&pid).expect("an id").trim());
    let is_running =
        || fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while is_running() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
