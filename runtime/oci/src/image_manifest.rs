//! The manifest of an artifact: the digest and size of each of its blobs.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media_type;

/// The most layers of an artifact; registries accept about half as many.
const MAX_LAYERS: usize = 1000;

/// The largest blob.
const MAX_BLOB: u64 = 512 << 20;

/// The largest artifact: all blobs together.
const MAX_ARTIFACT: u64 = 1 << 30;

/// The manifest of an image in the format of OCI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    pub schema_version: u32,
    /// Spin leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// The name of a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
}

/// The part of a list of manifests by which it is recognised.
#[derive(Deserialize)]
struct ManifestList {
    #[serde(rename = "manifests")]
    _manifests: Vec<serde_json::Value>,
}

// === impl ImageManifest ===

impl ImageManifest {
    /// Reads the manifest of an application; `name` is its name in errors.
    ///
    /// # Errors
    /// When it is malformed, no application, or larger than the bounds.
    pub fn parse(name: &str, bytes: &[u8]) -> anyhow::Result<Self> {
        if serde_json::from_slice::<ManifestList>(bytes).is_ok() {
            bail!(
                "{name} is a list of images for several platforms, and no application: name an application that was pushed with `socar registry push` or `spin registry push`"
            );
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| {
            anyhow!("the manifest of {name} is malformed ({error}): push it again")
        })?;
        let count = manifest.layers.len();
        ensure!(
            count <= MAX_LAYERS,
            "{name} has {count} layers, and an application has at most {MAX_LAYERS}"
        );
        let blobs = || manifest.layers.iter().chain([&manifest.config]);
        if let Some(large) = blobs().find(|blob| blob.size > MAX_BLOB) {
            bail!(
                "{} of {name} has {} MiB, and a part of an application has at most {} MiB",
                large.digest,
                large.size >> 20,
                MAX_BLOB >> 20
            );
        }
        let total: u64 = blobs().map(|blob| blob.size).sum();
        ensure!(
            total <= MAX_ARTIFACT,
            "{name} has {} MiB, and an application has at most {} MiB",
            total >> 20,
            MAX_ARTIFACT >> 20
        );
        Ok(manifest)
    }

    /// The blob with the locked application.
    ///
    /// # Errors
    /// When there is none: `name` is something else.
    pub fn locked_application(&self, name: &str) -> anyhow::Result<&Descriptor> {
        let parts = || self.layers.iter().chain([&self.config]);
        let mut locked = parts().filter(|it| it.media_type == media_type::LOCKED_APPLICATION);
        locked.next().ok_or_else(|| {
            let first = parts().next().map(|it| it.media_type.as_str());
            anyhow!(
                "{name} is no application of Spin, but has `{}`: name an application that was pushed with `socar registry push` or `spin registry push`",
                first.unwrap_or_default()
            )
        })
    }

    /// The layer with this digest.
    pub fn layer(&self, digest: &Digest) -> Option<&Descriptor> {
        self.layers.iter().find(|layer| layer.digest == *digest)
    }

    /// The layers of this media type.
    pub fn layers_of(&self, media_type: &str) -> impl Iterator<Item = &Descriptor> {
        let is_of_type = move |layer: &&Descriptor| layer.media_type == media_type;
        self.layers.iter().filter(is_of_type)
    }
}

// === impl Descriptor ===

impl Descriptor {
    /// The descriptor of a content.
    pub fn of(media_type: &str, content: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(content),
            size: content.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(manifest: &serde_json::Value) -> String {
        let bytes = serde_json::to_vec(manifest).unwrap();
        ImageManifest::parse("registry/app:1", &bytes)
            .and_then(|it| it.locked_application("registry/app:1").map(drop))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_manifest_that_is_no_application_is_refused_with_its_kind() {
        let blob = |media_type: &str, size: u64| serde_json::json!({"mediaType": media_type, "digest": Digest::of(b""), "size": size});
        let with = |layers: Vec<serde_json::Value>| serde_json::json!({"schemaVersion": 2, "config": blob("c", 2), "layers": layers});
        for (manifest, expected) in [
            (
                serde_json::json!({"schemaVersion": 2, "manifests": []}),
                "list of images",
            ),
            (serde_json::json!({"schemaVersion": 2}), "malformed"),
            (serde_json::json!([]), "malformed"),
            (
                with(vec![blob("application/wasm", 9)]),
                "`application/wasm`",
            ),
            (with(vec![blob("a", 513 << 20)]), "513 MiB"),
            (with(vec![blob("a", 512 << 20); 3]), "1536 MiB"),
            (with(vec![blob("a", 0); 1001]), "1001 layers"),
        ] {
            let error = refused(&manifest);
            assert!(error.contains(expected), "{expected}: {error}");
            assert!(error.contains("registry/app:1"), "{error}");
        }
        let wrong = serde_json::json!({"mediaType": "a", "digest": "md5:00", "size": 1});
        assert!(refused(&with(vec![wrong])).contains("SHA-256"));
    }

    /// The descriptor of a layer says how many bytes are received, so a sum that overflows must not pass.
    #[test]
    fn the_sum_of_the_sizes_cannot_overflow() {
        let largest = u64::MAX;
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{0}","size":{largest}}},
               "layers":[{{"mediaType":"l","digest":"{0}","size":{largest}}}]}}"#,
            Digest::of(b"")
        );
        assert!(ImageManifest::parse("a", manifest.as_bytes()).is_err());
    }

    proptest::proptest! {
        /// Whatever a registry sends as a manifest: it is read or refused.
        #[test]
        fn any_manifest_is_read_or_refused(cut in 0..600_usize, at: usize, token in "[{}\\[\\]\",:0-9a-z-]{0,6}") {
            let blob = Descriptor::of("a", b"content");
            let manifest = ImageManifest {
                schema_version: 2,
                media_type: None,
                config: blob.clone(),
                layers: vec![blob; 2],
                annotations: BTreeMap::new(),
            };
            let mut text = serde_json::to_string(&manifest).unwrap();
            let at = at % (text.len() + 1);
            text.insert_str(at, &token);
            text.truncate(text.len().saturating_sub(cut));
            if let Ok(manifest) = ImageManifest::parse("a", text.as_bytes()) {
                let _ = manifest.locked_application("a");
            }
        }
    }
}
