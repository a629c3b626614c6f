//! Is an application the same after it has been in a registry? And does it run when Spin has put it there?
//!
//! The artifacts of Spin are written here by hand, after the source of `spin registry push` 4.1: no build of Spin is
//! needed.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use config::manifest::{App, Overrides};
use flate2::Compression;
use flate2::write::GzEncoder;
use harness::{
    Client, Process, Protocol, RegistryStub, build_component, new_state_dir, read, root, socar,
};
use http::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const START_TIMEOUT: Duration = Duration::from_secs(180);

fn registry(arguments: &[&str]) -> String {
    let mut command = socar();
    let output = command.arg("registry").args(arguments).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.expect("socar starts");
    let text = String::from_utf8_lossy(&stdout).trim().to_owned();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    text
}

// === the same application ===

/// A copy of a manifest with components of a few bytes: what is compared is the manifest.
fn with_small_components(manifest: &str) -> TempDir {
    let folder = TempDir::with_prefix("artifact-").expect("a folder");
    let text = read(manifest);
    let parsed: toml::Table = text.parse().expect("a manifest");
    for (id, component) in parsed["component"].as_table().expect("components") {
        let source = component["source"].as_str().expect("a source");
        let file = folder.path().join(source);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        // An empty component with a section of its own.
        let length = u8::try_from(id.len() + 1).expect("a short id");
        let mut wasm = b"\0asm\x0d\0\x01\0\0".to_vec();
        wasm.extend([length, length - 1]);
        wasm.extend(id.as_bytes());
        fs::write(file, wasm).expect("a component");
    }
    fs::write(folder.path().join("spin.toml"), text).expect("a manifest");
    folder
}

/// Pushes the application, pulls it into a state directory, and returns the manifest that the host would read.
fn pushed_and_pulled(stub: &RegistryStub, folder: &Path) -> PathBuf {
    let tag = stub.reference("app:1");
    let manifest = folder.join("spin.toml").to_string_lossy().into_owned();
    let pushed = registry(&["push", "--insecure", "-f", &manifest, &tag]);
    let state = folder.join("state");
    let directory = state.to_string_lossy().into_owned();
    let pulled = registry(&["pull", "--insecure", "--state-dir", &directory, &tag]);
    assert_eq!(pulled, pushed);
    let (_, digest) = pushed.split_once("@sha256:").expect("a digest");
    state.join("registry").join(format!("{digest}.toml"))
}

/// The checked application in words, without what depends on the place of its files: paths, lines and build commands.
fn checked(manifest: &Path, overrides: &Overrides) -> String {
    let mut app = App::load(manifest, overrides).unwrap_or_else(|error| panic!("{error}"));
    let mut variables = Vec::new();
    let files: Vec<_> = app
        .sources()
        .map(|it| fs::read(&it.source).expect("a component"))
        .collect();
    for component in &mut app.components {
        component.build = None;
        for dependency in &mut component.dependencies {
            dependency.adapter.build = None;
        }
        // Their values are not part of the words: they may be secrets.
        let values = component.variables.iter();
        variables.extend(values.map(|(name, value)| format!("{name}={value}")));
    }
    app.manifest = PathBuf::new();
    let text = format!("{app:#?}\n{variables:#?}\n{files:?}");
    let mut is_location = false;
    let lines = text.lines().filter(|line| {
        let starts = line.ends_with("Location {");
        let ends = is_location && line.trim_start().starts_with('}');
        let is_shown = !is_location && !starts;
        is_location = (is_location || starts) && !ends;
        let depends_on_place = [
            "root: ",
            "source: ",
            "value: \"target",
            "value: \"blobs",
            "build: ",
        ];
        is_shown
            && !depends_on_place
                .iter()
                .any(|start| line.trim_start().starts_with(start))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn assert_same(manifest: &str) {
    let folder = with_small_components(manifest);
    let stub = RegistryStub::start();
    let pulled = pushed_and_pulled(&stub, folder.path());
    for overrides in [
        Overrides::default(),
        Overrides {
            variables: vec![
                "payment_limit=7".to_owned(),
                "car_url=http://cars:80".to_owned(),
            ],
            components: vec!["reservation".to_owned(), "viewpage".to_owned()],
            ..Overrides::default()
        },
    ] {
        let original = checked(&folder.path().join("spin.toml"), &overrides);
        assert!(original.lines().count() > 500, "{original}");
        let after = checked(&pulled, &overrides);
        similar(&original, &after);
    }
}

/// Compares line by line, since the whole is thousands of lines.
fn similar(original: &str, after: &str) {
    for (number, (before, now)) in original.lines().zip(after.lines()).enumerate() {
        assert_eq!(before, now, "line {number}");
    }
    assert_eq!(original.lines().count(), after.lines().count());
}

#[test]
fn the_platform_is_the_same_application_after_a_push_and_a_pull() {
    assert_same("spin.toml");
}

#[test]
fn the_platform_with_a_context_in_python_is_the_same_application_after_a_push_and_a_pull() {
    assert_same("spin.polyglot.toml");
}

/// The comparison must see a policy that is lost.
#[test]
fn a_lost_policy_is_detected() {
    let folder = with_small_components("spin.toml");
    let manifest = folder.path().join("spin.toml");
    let original = checked(&manifest, &Overrides::default());
    let changed = read("spin.toml").replace("deadline = \"2500ms\"", "deadline = \"2400ms\"");
    fs::write(&manifest, changed).expect("a manifest");
    assert_ne!(original, checked(&manifest, &Overrides::default()));
}

// === artifacts of Spin ===

/// An artifact as Spin's client lays it out.
struct SpinArtifact<'a> {
    stub: &'a RegistryStub,
    layers: Vec<Value>,
}

// === impl SpinArtifact ===

impl SpinArtifact<'_> {
    fn layer(&mut self, media_type: &str, content: &[u8]) -> String {
        let digest = self.stub.put_blob(content);
        let layer = json!({"mediaType": media_type, "digest": digest, "size": content.len()});
        if !self.layers.contains(&layer) {
            self.layers.push(layer);
        }
        digest
    }

    /// Spin writes the keys in alphabetical order, and no media type of the manifest itself.
    fn push(mut self, name: &str, locked: &Value) {
        let locked = serde_json::to_vec(locked).expect("JSON");
        let digest = self.layer(
            "application/vnd.fermyon.spin.application.v1+config",
            &locked,
        );
        let config = json!({
            "architecture": "wasm",
            "os": "Wasip1",
            "config": {"Labels": {"com.fermyon.spin.lockedAppDigest": digest}},
            "rootfs": {"type": "layers", "diff_ids": []},
        });
        let config = serde_json::to_vec(&config).expect("JSON");
        let digest = self.stub.put_blob(&config);
        let manifest = json!({
            "annotations": {"org.opencontainers.image.title": "greeter"},
            "config": {
                "digest": digest,
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "size": config.len(),
            },
            "layers": self.layers,
            "schemaVersion": 2,
        });
        self.stub
            .put_manifest(name, &serde_json::to_vec(&manifest).expect("JSON"));
    }
}

/// The saboteur as the application `greeter`, with these files.
fn greeter(source: &str, files: &Value) -> Value {
    json!({
        "spin_lock_version": 0,
        "metadata": {
            "description": "Greets",
            "name": "greeter",
            "trigger": {"type": "http"},
            "triggers": {},
            "version": "1.0.0",
        },
        "variables": {"greeting": {"default": "hello"}},
        "triggers": [
            {
                "id": "greeter-http-trigger",
                "trigger_type": "http",
                "trigger_config": {"component": "greeter", "executor": null, "route": "/..."},
            },
            {
                "id": "http-trigger1",
                "trigger_type": "http",
                "trigger_config": {
                    "route": "/static",
                    "static_response": {"body": "static", "status_code": 200},
                },
            },
        ],
        "components": [{
            "id": "greeter",
            "metadata": {
                "ai_models": [],
                "build": {"command": "cargo build", "watch": ["src/**/*.rs"]},
                "description": "Greets",
                "key_value_stores": ["saboteur"],
            },
            "source": {"content_type": "application/wasm", "digest": source},
            "env": {"MOOD": "sweet"},
            "files": files,
            "config": {"greeting": "{{ greeting }}, world"},
        }],
    })
}

fn saboteur() -> Vec<u8> {
    build_component("saboteur");
    let file = root().join("target/wasm32-wasip2/release/saboteur.wasm");
    fs::read(file).expect("a component")
}

/// Runs an application of the registry, and returns the answers to these requests.
fn answers(stub: &RegistryStub, name: &str, paths: &[&str]) -> Vec<String> {
    let state = new_state_dir("artifact-");
    let mut command = socar();
    command.args(["up", "--insecure", "--listen", "127.0.0.1:0", "-f"]);
    command
        .arg(stub.reference(name))
        .arg("--state-dir")
        .arg(state.path());
    let host = Process::start("socar", command, state.path());
    let url = host.wait_for(START_TIMEOUT, |line| {
        line.strip_prefix("Serving ").map(str::to_owned)
    });
    let url = url.unwrap_or_else(|reason| panic!("{reason}"));
    let client = Client::new(&url, Protocol::Http1);
    let answer = |path: &&str| {
        let response = client.request(Method::GET, path).send();
        response.is(200).text().to_owned()
    };
    paths.iter().map(answer).collect()
}

#[test]
fn an_application_that_spin_pushed_runs() {
    let stub = RegistryStub::start();
    let mut artifact = SpinArtifact {
        stub: &stub,
        layers: Vec::new(),
    };
    let source = artifact.layer("application/vnd.wasm.content.layer.v1+wasm", &saboteur());
    let large = "a file of more than 128 bytes ".repeat(9);
    let note = artifact.layer(
        "application/vnd.wasm.content.layer.v1+data",
        large.as_bytes(),
    );
    // Small files are in the locked application only, in base64 without padding.
    let files = json!([
        {"digest": note, "path": "note.txt"},
        {"inline": "c21hbGw", "digest": stub.put_blob(b"small"), "path": "sub/small.txt"},
    ]);
    artifact.push("greeter:1", &greeter(&source, &files));
    let paths = [
        "/greet/me",
        "/static",
        "/file?path=/note.txt",
        "/file?path=/sub/small.txt",
    ];
    let found = answers(&stub, "greeter:1", &paths);
    assert!(found[0].contains("me"), "{found:?}");
    assert_eq!(found[1..], ["static", &large, "small"]);
}

#[test]
fn an_application_whose_files_spin_archived_runs() {
    let stub = RegistryStub::start();
    let mut artifact = SpinArtifact {
        stub: &stub,
        layers: Vec::new(),
    };
    let source = artifact.layer("application/vnd.wasm.content.layer.v1+wasm", &saboteur());
    let note = "in an archive ".repeat(20);
    let archive = archive(&[("./", b""), ("./note.txt", note.as_bytes())]);
    artifact.layer("application/vnd.wasm.content.bundle.v1.tar+gzip", &archive);
    let digest = oci::Digest::of(note.as_bytes());
    let files = json!([{"digest": digest, "path": "note.txt"}]);
    artifact.push("greeter:2", &greeter(&source, &files));
    assert_eq!(
        answers(&stub, "greeter:2", &["/file?path=/note.txt"]),
        [note]
    );
}

/// Versions of Spin before 2.0 had the locked application in the place of the configuration.
#[test]
fn an_application_of_an_earlier_spin_is_pulled() {
    let stub = RegistryStub::start();
    let source = stub.put_blob(b"\0asm\x0d\0\x01\0");
    let locked = serde_json::to_vec(&greeter(&source, &json!([]))).expect("JSON");
    let manifest = json!({
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.fermyon.spin.application.v1+config",
            "digest": stub.put_blob(&locked),
            "size": locked.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.wasm.content.layer.v1+wasm", "digest": source, "size": 8,
        }],
    });
    stub.put_manifest("greeter:0", &serde_json::to_vec(&manifest).expect("JSON"));
    let state = TempDir::with_prefix("artifact-").expect("a folder");
    let directory = state.path().to_string_lossy();
    let reference = stub.reference("greeter:0");
    let pulled = registry(&["pull", "-k", "--state-dir", &directory, &reference]);
    let (_, digest) = pulled.split_once("@sha256:").expect("a digest");
    let manifest = state.path().join("registry").join(format!("{digest}.toml"));
    let app = App::load(&manifest, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(app.name, "greeter");
    assert_eq!(app.components[0].environment["MOOD"], "sweet");
}

/// A tar archive as the tar programs write it, compressed with gzip.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, content) in entries {
        let mut header = [0_u8; 512];
        let mut put =
            |at: usize, text: &str| header[at..][..text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, "0000644\0");
        put(124, &format!("{:011o}\0", content.len()));
        put(136, "00000000000\0");
        put(148, "        ");
        put(156, if path.ends_with('/') { "5" } else { "0" });
        put(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(*content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend([0; 1024]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&tar).expect("memory");
    encoder.finish().expect("memory")
}
