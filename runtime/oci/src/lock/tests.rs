//! The locked application has the fields that Spin's loader reads, and comes back as the same application.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::*;
use crate::cache::Cache;
use crate::digest::Digest;
use crate::image_manifest::ImageManifest;
use crate::media_type;
use crate::unlock;

/// The smallest component, and another one.
const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

fn wasm(name: &str) -> Vec<u8> {
    // A custom section with a name and 200 bytes, so that it is no small content.
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend(name.as_bytes());
    section.extend([0; 200]);
    let mut wasm = WASM.to_vec();
    wasm.push(0);
    let length = u8::try_from(section.len()).unwrap();
    assert!(length >= 128);
    wasm.extend([length, 1]);
    wasm.extend(section);
    wasm
}

const MANIFEST: &str = r#"
spin_manifest_version = 2

[application]
name = "shop"
version = "1.2.3"
description = "Everything that a manifest can have"
authors = ["A <a@example.com>", "B"]
tool.other = { kept = false }

[application.trigger.redis]
address = "redis://{{ host }}"

[application.tool.socar]
deadline = "3s"

[variables]
host = { required = true, description = "A host" }
token = { default = "abc", secret = true }

[[trigger.redis]]
channel = "a"
component = "car"

[[trigger.http]]
route = "/cars/..."
component = "car"

[[trigger.http]]
id = "written"
route = "/more-cars/..."
component = "car"
executor = { type = "http" }

[[trigger.http]]
route = "/gone"
static_response = { status_code = 410, headers = { a = "b" }, body = "gone" }

[[trigger.http]]
route = { private = true }
component = "inner"

[component.car]
source = "car.wasm"
description = "Cars"
environment = { A = "b" }
variables = { host = "{{ host }}" }
key_value_stores = ["car"]
sqlite_databases = ["rows"]
allowed_outbound_hosts = ["{{ host }}"]
files = ["assets/**/*", { source = "one.txt", destination = "/etc/one" }]
exclude_files = ["assets/*.md"]
build = { command = "false" }

[component.car.dependencies]
"a:b/c@1.0.0" = { component = "adapter", inherit_configuration = true }
"a:b/d" = { component = "adapter", inherit_configuration = ["variables"], export = "a:b/c" }
"e:f" = { component = "adapter" }

[component.car.tool.socar]
sweep = "7s"

[component.inner]
source = "inner.wasm"
allowed_outbound_hosts = ["http://car.spin.internal"]

[component.adapter]
source = "adapter.wasm"
"#;

fn application() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, content: &[u8]| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("spin.toml", MANIFEST.as_bytes());
    for name in ["car", "inner", "adapter"] {
        write(&format!("{name}.wasm"), &wasm(name));
    }
    write("assets/small.css", b"a{}");
    write("assets/images/large.png", &[7; 500]);
    write("assets/read.md", b"not for the component");
    write("one.txt", &[]);
    directory
}

fn packed(manifest: &Path) -> Artifact {
    let details = ArtifactDetails {
        created: SystemTime::UNIX_EPOCH,
        annotations: BTreeMap::from([("added".to_owned(), "1".to_owned())]),
    };
    lock(manifest, details).unwrap()
}

impl Artifact {
    fn blob(&self, digest: &Digest) -> &[u8] {
        let mut blobs = self.blobs.iter();
        &blobs.find(|(known, _)| known == digest).unwrap().1
    }

    fn locked(&self) -> Value {
        let manifest = ImageManifest::parse("artifact", &self.manifest).unwrap();
        let locked = manifest.locked_application("artifact").unwrap();
        serde_json::from_slice(self.blob(&locked.digest)).unwrap()
    }

    fn policies(&self) -> String {
        let manifest = ImageManifest::parse("artifact", &self.manifest).unwrap();
        let layer = manifest.layers_of(media_type::POLICIES).next().unwrap();
        String::from_utf8(self.blob(&layer.digest).to_vec()).unwrap()
    }
}

#[test]
fn the_locked_application_has_the_fields_of_spin() {
    let directory = application();
    let locked = packed(&directory.path().join("spin.toml")).locked();
    let digest = |name: &str| Digest::of(&wasm(name));
    let source = |name| json!({"content_type": "application/wasm", "digest": digest(name)});
    let dependency = |inherit: Option<Value>, export: Value| {
        let mut dependency = json!({"source": source("adapter"), "export": export});
        if let Some(inherit) = inherit {
            dependency["inherit"] = inherit;
        }
        dependency
    };
    let expected = json!({
        "spin_lock_version": 1,
        "must_understand": ["component_host_requirements"],
        "metadata": {
            "name": "shop",
            "version": "1.2.3",
            "description": "Everything that a manifest can have",
            "authors": ["A <a@example.com>", "B"],
            "triggers": {"redis": {"address": "redis://{{ host }}"}},
        },
        "variables": {
            "host": {"description": "A host"},
            "token": {"default": "abc", "secret": true},
        },
        "triggers": [
            {
                "id": "car-redis-trigger",
                "trigger_type": "redis",
                "trigger_config": {"channel": "a", "component": "car"},
            },
            {
                "id": "car-http-trigger",
                "trigger_type": "http",
                "trigger_config": {"route": "/cars/...", "component": "car"},
            },
            {
                "id": "written",
                "trigger_type": "http",
                "trigger_config": {
                    "route": "/more-cars/...", "executor": {"type": "http"}, "component": "car",
                },
            },
            {
                "id": "http-trigger1",
                "trigger_type": "http",
                "trigger_config": {
                    "route": "/gone",
                    "static_response": {
                        "status_code": 410, "headers": {"a": "b"}, "body": "gone",
                    },
                },
            },
            {
                "id": "inner-http-trigger",
                "trigger_type": "http",
                "trigger_config": {"route": {"private": true}, "component": "inner"},
            },
        ],
        "components": [
            {
                "id": "car",
                "metadata": {
                    "description": "Cars",
                    "allowed_outbound_hosts": ["{{ host }}"],
                    "key_value_stores": ["car"],
                    "databases": ["rows"],
                },
                "source": source("car"),
                "env": {"A": "b"},
                "files": [
                    {"digest": Digest::of(&[7; 500]), "path": "assets/images/large.png"},
                    {"inline": "YXt9", "digest": Digest::of(b"a{}"), "path": "assets/small.css"},
                    {"inline": "", "digest": Digest::of(b""), "path": "etc/one"},
                ],
                "config": {"host": "{{ host }}"},
                "dependencies": {
                    "a:b/c@1.0.0": dependency(Some("All".into()), Value::Null),
                    "a:b/d": dependency(Some(json!({"Some": ["variables"]})), "a:b/c".into()),
                    "e:f": dependency(None, Value::Null),
                },
            },
            {
                "id": "inner",
                "metadata": {"allowed_outbound_hosts": ["http://car.spin.internal"]},
                "source": source("inner"),
                "host_requirements": {"local_service_chaining": "required"},
            },
            {"id": "adapter", "source": source("adapter")},
        ],
    });
    assert_eq!(locked, expected);
}

#[test]
fn the_artifact_has_the_layers_and_annotations_of_spin() {
    let directory = application();
    let artifact = packed(&directory.path().join("spin.toml"));
    let manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.oci.image.config.v1+json"
    );
    let layers = manifest["layers"].as_array().unwrap();
    let types: Vec<_> = layers
        .iter()
        .map(|it| it["mediaType"].as_str().unwrap())
        .collect();
    let wasm = "application/vnd.wasm.content.layer.v1+wasm";
    assert_eq!(
        types,
        [
            wasm,
            wasm,
            "application/vnd.wasm.content.layer.v1+data",
            wasm,
            "application/vnd.socar.policies.v1+toml",
            "application/vnd.fermyon.spin.application.v1+config",
        ]
    );
    for layer in layers.iter().chain([&manifest["config"]]) {
        let digest = Digest::parse(layer["digest"].as_str().unwrap()).unwrap();
        let blob = artifact.blob(&digest);
        assert_eq!(layer["size"], blob.len());
        assert_eq!(Digest::of(blob), digest);
    }
    let annotation =
        |name: &str| &manifest["annotations"][format!("org.opencontainers.image.{name}")];
    for (name, value) in [
        ("title", "shop"),
        ("version", "1.2.3"),
        ("description", "Everything that a manifest can have"),
        ("authors", "A <a@example.com>, B"),
        ("created", "1970-01-01T00:00:00Z"),
    ] {
        assert_eq!(annotation(name), value);
    }
    assert_eq!(manifest["annotations"]["added"], "1");
    let config = Digest::parse(manifest["config"]["digest"].as_str().unwrap()).unwrap();
    let config: Value = serde_json::from_slice(artifact.blob(&config)).unwrap();
    let locked = layers.last().unwrap()["digest"].clone();
    let expected = json!({
        "architecture": "wasm",
        "os": "Wasip1",
        "config": {"Labels": {"com.fermyon.spin.lockedAppDigest": locked}},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    assert_eq!(config, expected);
    assert_eq!(
        artifact.policies(),
        "[application.tool.socar]\ndeadline = \"3s\"\n\n[component.car.tool.socar]\nsweep = \"7s\"\n"
    );
}

/// What is pulled is what was pushed: nothing of the manifest is lost but its build commands.
#[test]
fn a_pulled_application_is_packed_into_the_same_artifact() {
    let directory = application();
    let artifact = packed(&directory.path().join("spin.toml"));
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::new(root.path().to_owned());
    for (_, blob) in &artifact.blobs {
        cache.store(blob).unwrap();
    }
    for small in [&b"a{}"[..], b""] {
        cache.store(small).unwrap();
    }
    let app = serde_json::from_value(artifact.locked()).unwrap();
    let text = unlock::manifest(&app, Some(&artifact.policies())).unwrap();
    let manifest = cache.write_file("app.toml", &text).unwrap();
    let again = packed(&manifest);
    assert_eq!(again.locked(), artifact.locked());
    assert_eq!(again.policies(), artifact.policies());
    assert_eq!(again.digest, artifact.digest, "{text}");
}

#[test]
fn what_cannot_be_packed_is_refused_with_its_remedy() {
    let refused = |change: &dyn Fn(&Path)| {
        let directory = application();
        change(directory.path());
        let details = ArtifactDetails {
            created: SystemTime::UNIX_EPOCH,
            annotations: BTreeMap::new(),
        };
        let error = lock(&directory.path().join("spin.toml"), details).unwrap_err();
        format!("{error:#}")
    };
    let error = refused(&|root| fs::remove_file(root.join("car.wasm")).unwrap());
    assert!(error.contains("there is no such file"), "{error}");
    let module = b"\0asm\x01\0\0\0";
    let error = refused(&|root| fs::write(root.join("adapter.wasm"), module).unwrap());
    assert!(
        error.contains("`adapter`") && error.contains("is no component"),
        "{error}"
    );
    let error = refused(&|root| fs::remove_file(root.join("one.txt")).unwrap());
    assert!(error.contains("one.txt"), "{error}");
    let error = refused(&|root| {
        for number in 0..500 {
            let content = format!("{number:0200}");
            fs::write(root.join(format!("assets/{number}")), content).unwrap();
        }
    });
    assert!(error.contains("registries accept 499"), "{error}");
}
