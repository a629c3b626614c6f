//! A registry with an application in it, a client with a state directory, and what the client printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use harness::{REGISTRY_USER, RegistryStub, build_component, socar};
use tempfile::TempDir;

/// The manifest that is pushed: one file and two components of the same code.
pub const MANIFEST: &str = "tests/saboteur/spin.toml";

/// A registry with an application in it, and a client with a state directory.
pub struct RegistryFixture {
    pub stub: RegistryStub,
    pub folder: TempDir,
    /// The application by its digest.
    pub name: String,
}

// === impl RegistryFixture ===

impl RegistryFixture {
    pub fn new() -> Self {
        let mut fixture = Self::empty();
        fixture.name = printed(&fixture.push());
        fixture.stub.forget_requests();
        fixture
    }

    pub fn empty() -> Self {
        build_component("saboteur");
        Self {
            stub: RegistryStub::start(),
            folder: TempDir::with_prefix("registry-").expect("a folder"),
            name: String::new(),
        }
    }

    pub fn tag(&self) -> String {
        self.stub.reference("team/app:1")
    }

    pub fn registry(&self, arguments: &[&str]) -> Output {
        let mut command = socar();
        command.arg("registry").args(arguments);
        command.env("DOCKER_CONFIG", self.folder.path());
        command.output().expect("socar starts")
    }

    pub fn push(&self) -> Output {
        self.registry(&["push", "--insecure", "-f", MANIFEST, &self.tag()])
    }

    pub fn pull_name(&self, name: &str) -> Output {
        let state = self.state().to_string_lossy().into_owned();
        self.registry(&["pull", "--insecure", "--state-dir", &state, name])
    }

    pub fn pull(&self) -> Output {
        self.pull_name(&self.tag())
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Stores the user and password that the registry asks for.
    pub fn log_in(&self) {
        let (user, password) = REGISTRY_USER;
        let config = serde_json::json!({
            "auths": { self.stub.host(): { "username": user, "password": password } }
        });
        fs::write(self.folder.path().join("config.json"), config.to_string()).expect("a login");
    }

    /// The digest of the layer of this media type.
    pub fn layer(&self, media_type: &str) -> String {
        let manifest = self.stub.manifest("team/app", "1");
        let layers = manifest["layers"].as_array().expect("layers");
        let layer = layers.iter().find(|it| it["mediaType"] == media_type);
        let digest = layer.map(|it| it["digest"].as_str().unwrap_or_default());
        digest.expect("a layer").to_owned()
    }

    /// The contents that the cache has under their digests.
    pub fn cached(&self) -> Vec<PathBuf> {
        let files = files(&self.state().join("registry/blobs/sha256"));
        let is_named = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with('.')
        };
        files.into_iter().filter(is_named).collect()
    }
}

pub const WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[track_caller]
pub fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The error of a command that must fail with these words, one line and exit code 1, and without credentials.
#[track_caller]
pub fn refused(output: &Output, words: &[&str]) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let errors = text.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
    let (user, password) = REGISTRY_USER;
    for secret in [user, password, "Basic ", "Bearer ", "state=secret"] {
        assert!(!text.contains(secret), "{text}");
    }
}
