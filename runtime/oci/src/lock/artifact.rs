//! The artifact of a locked application: its blobs, its configuration and its manifest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use anyhow::ensure;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::image_manifest::{Descriptor, ImageManifest};
use crate::locked_app::{ContentReference, LockedApp};
use crate::media_type;

/// The most layers that every known registry accepts, without the one of the locked application.
const MAX_LAYERS: usize = 499;

/// A content of at most this many bytes is part of the locked application, as in Spin: some registries refuse small
/// blobs.
const MAX_INLINE: usize = 128;

/// Everything that is stored in a registry for one version of an application.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The manifest.
    pub manifest: Bytes,
    /// The digest of the manifest.
    pub digest: Digest,
    /// The blobs that the manifest names.
    pub blobs: Vec<(Digest, Bytes)>,
}

/// What an artifact says about itself.
#[derive(Clone, Debug)]
pub struct ArtifactDetails {
    /// The time in the annotation `created`.
    pub created: SystemTime,
    /// Annotations that take precedence over those of the manifest.
    pub annotations: BTreeMap<String, String>,
}

/// The layers of an artifact.
#[derive(Default)]
pub struct Contents {
    layers: Vec<(Descriptor, Bytes)>,
    known: BTreeSet<Digest>,
    policies: Option<Bytes>,
}

// === impl Contents ===

impl Contents {
    /// Adds a component and returns its reference.
    pub fn add_wasm(&mut self, wasm: &Bytes) -> ContentReference {
        self.add(media_type::WASM, wasm);
        reference(wasm)
    }

    /// Adds a file and returns its reference. A small file is in the reference alone.
    pub fn add_file(&mut self, content: &Bytes) -> ContentReference {
        let reference = reference(content);
        if reference.inline.is_none() {
            self.add(media_type::DATA, content);
        }
        reference
    }

    /// Adds the policies of the host.
    pub fn add_policies(&mut self, policies: String) {
        self.policies = Some(policies.into());
    }

    fn add(&mut self, media_type: &str, content: &Bytes) {
        let descriptor = Descriptor::of(media_type, content);
        if self.known.insert(descriptor.digest.clone()) {
            self.layers.push((descriptor, content.clone()));
        }
    }

    /// Completes the artifact.
    ///
    /// # Errors
    /// When it has more files than a registry accepts.
    pub fn pack(mut self, app: &LockedApp, details: ArtifactDetails) -> anyhow::Result<Artifact> {
        if let Some(policies) = self.policies.take() {
            self.add(media_type::POLICIES, &policies);
        }
        let count = self.layers.len();
        ensure!(
            count <= MAX_LAYERS,
            "the application has {count} components and files, and registries accept {MAX_LAYERS}: put files into the components, or exclude some with `exclude_files`"
        );
        let locked = Bytes::from(serde_json::to_vec(app)?);
        let config = Bytes::from(image_config(&Digest::of(&locked))?);
        self.add(media_type::LOCKED_APPLICATION, &locked);
        let manifest = ImageManifest {
            schema_version: 2,
            media_type: Some(media_type::IMAGE_MANIFEST.to_owned()),
            config: Descriptor::of(media_type::IMAGE_CONFIG, &config),
            layers: self.layers.iter().map(|(it, _)| it.clone()).collect(),
            annotations: annotations(app, details),
        };
        let manifest = Bytes::from(serde_json::to_vec(&manifest)?);
        let layers = self.layers.into_iter();
        let blobs = layers.map(|(descriptor, content)| (descriptor.digest, content));
        let config = (Digest::of(&config), config);
        Ok(Artifact {
            digest: Digest::of(&manifest),
            manifest,
            blobs: blobs.chain([config]).collect(),
        })
    }
}

fn reference(content: &Bytes) -> ContentReference {
    ContentReference {
        inline: (content.len() <= MAX_INLINE).then(|| content.to_vec()),
        digest: Some(Digest::of(content)),
    }
}

/// The configuration of the image, whose label makes it a different one for each application.
fn image_config(locked: &Digest) -> anyhow::Result<Vec<u8>> {
    Ok(serde_json::to_vec(&json!({
        "architecture": "wasm",
        "os": "Wasip1",
        "config": { "Labels": { "com.fermyon.spin.lockedAppDigest": locked } },
        "rootfs": { "type": "layers", "diff_ids": [] },
    }))?)
}

/// The annotations that Spin makes from a manifest.
fn annotations(app: &LockedApp, details: ArtifactDetails) -> BTreeMap<String, String> {
    let text = |key: &str| app.metadata.get(key)?.as_str().map(str::to_owned);
    let authors = app.metadata.get("authors").and_then(Value::as_array);
    let authors = authors.map(|names| {
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        names.join(", ")
    });
    let created = humantime::format_rfc3339_seconds(details.created).to_string();
    let inferred = [
        ("authors", authors),
        ("title", text("name")),
        ("description", text("description")),
        ("version", text("version")),
        ("created", Some(created)),
    ];
    let inferred = inferred
        .into_iter()
        .filter_map(|(key, value)| Some((format!("org.opencontainers.image.{key}"), value?)));
    inferred.chain(details.annotations).collect()
}
