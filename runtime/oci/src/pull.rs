//! `socar registry pull`: the parts of an application that the cache lacks, and then its manifest for the host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tracing::info;

use crate::archive;
use crate::cache::Cache;
use crate::digest::Digest;
use crate::image_manifest::{Descriptor, ImageManifest};
use crate::locked_app::LockedApp;
use crate::media_type;
use crate::reference::Reference;
use crate::registry::Registry;
use crate::unlock;

/// The blobs that are received at the same time.
const CONCURRENCY: usize = 4;

/// The largest locked application, and the largest layer of policies.
const MAX_TEXT: u64 = 16 << 20;

/// An application in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledApp {
    /// The reference by its digest.
    pub reference: Reference,
    /// The manifest that the host reads.
    pub manifest: PathBuf,
    /// The number of blobs that were received.
    pub received: usize,
}

/// One pull.
struct Pull<'a> {
    registry: &'a Registry,
    reference: &'a Reference,
    cache: &'a Cache,
}

/// Brings an application into the cache and checks the digest of every part of it. The registry is asked only for what
/// the cache lacks; a tag is looked up each time, and a digest is not.
///
/// # Errors
/// When the registry does not have the application, it is damaged, or this host cannot run it.
pub async fn pull(
    registry: &Registry,
    reference: &Reference,
    cache: &Cache,
) -> anyhow::Result<PulledApp> {
    let pull = Pull {
        registry,
        reference,
        cache,
    };
    pull.run().await
}

// === impl Pull ===

impl Pull<'_> {
    async fn run(&self) -> anyhow::Result<PulledApp> {
        let name = self.reference.to_string();
        let (bytes, digest) = self.manifest().await?;
        let manifest = ImageManifest::parse(&name, &bytes)?;
        let locked = manifest.locked_application(&name)?;
        let policies: Vec<_> = manifest.layers_of(media_type::POLICIES).collect();
        ensure!(
            policies.len() <= 1,
            "{name} has more than one layer of policies: push it again"
        );
        let texts: Vec<&Descriptor> = policies.into_iter().chain([locked]).collect();
        if let Some(long) = texts.iter().find(|it| it.size > MAX_TEXT) {
            bail!(
                "the part {} of {name} is longer than {MAX_TEXT} bytes: it is no part of an application",
                long.digest
            );
        }
        let mut received = self.fetch(&texts).await?;
        let app: LockedApp = serde_json::from_str(&self.text(locked)?).map_err(|error| {
            anyhow!("the locked application of {name} is malformed ({error}): push it again")
        })?;
        received += self.contents(&manifest, &app).await?;
        let policies = texts
            .iter()
            .find(|it| it.media_type == media_type::POLICIES);
        let policies = policies.map(|layer| self.text(layer)).transpose()?;
        let written = unlock::manifest(&app, policies.as_deref())
            .with_context(|| format!("{name} cannot run here"))?;
        let written = self
            .cache
            .write_file(&format!("{}.toml", digest.hex()), &written)?;
        let used = manifest.layers.iter().map(|layer| layer.digest.clone());
        self.cache
            .prune(&used.chain(files(&app)).chain([digest.clone()]).collect());
        info!(application = %self.reference.at(&digest), received, "application pulled");
        Ok(PulledApp {
            reference: self.reference.at(&digest),
            manifest: written,
            received,
        })
    }

    /// The manifest, from the cache if the reference has a digest.
    async fn manifest(&self) -> anyhow::Result<(Vec<u8>, Digest)> {
        if let Some(digest) = self.reference.digest()
            && let Some(cached) = self.cache.read(digest)
        {
            return Ok((cached, digest.clone()));
        }
        let (bytes, digest) = self.registry.manifest(self.reference).await?;
        self.cache.store(&bytes)?;
        Ok((bytes.into(), digest))
    }

    /// Fetches every content that the application names.
    async fn contents(&self, manifest: &ImageManifest, app: &LockedApp) -> anyhow::Result<usize> {
        let mut layers: BTreeMap<&Digest, &Descriptor> = BTreeMap::new();
        let mut in_archives = BTreeMap::new();
        for (component, content) in app.contents() {
            if let Some(inline) = &content.inline {
                let stored = self.cache.store(inline)?;
                let named = content.digest.as_ref().unwrap_or(&stored);
                ensure!(
                    *named == stored,
                    "component `{component}` of {}: the content of {named} is another one: push the application again",
                    self.reference
                );
            } else if let Some(digest) = &content.digest {
                match manifest.layer(digest) {
                    Some(layer) => {
                        layers.insert(digest, layer);
                    }
                    None => {
                        in_archives.insert(digest, component);
                    }
                }
            }
        }
        let layers: Vec<&Descriptor> = layers.into_values().collect();
        let received = self.fetch(&layers).await?;
        Ok(received + self.unpack(manifest, &in_archives).await?)
    }

    /// Fetches what the cache lacks.
    async fn fetch(&self, blobs: &[&Descriptor]) -> anyhow::Result<usize> {
        let missing = self
            .missing(blobs.iter().map(|it| &it.digest).cloned())
            .await?;
        let missing = blobs.iter().filter(|blob| missing.contains(&blob.digest));
        let fetches = missing.map(|blob| async move {
            let begin = || self.cache.writer();
            let received = self.registry.blob(&blob.digest, blob.size, begin).await?;
            let digest = blob.digest.clone();
            // To make it durable takes as long as the disk needs.
            tokio::task::spawn_blocking(move || received.commit(&digest)).await?
        });
        let fetches = stream::iter(fetches).buffer_unordered(CONCURRENCY);
        fetches
            .try_fold(0, |count, ()| async move { Ok(count + 1) })
            .await
    }

    /// Unpacks the archives, if files are in them that the cache lacks.
    async fn unpack(
        &self,
        manifest: &ImageManifest,
        files: &BTreeMap<&Digest, &str>,
    ) -> anyhow::Result<usize> {
        let wanted = files.keys().copied().cloned();
        if self.missing(wanted.clone()).await?.is_empty() {
            return Ok(0);
        }
        let archives: Vec<&Descriptor> = manifest.layers_of(media_type::ARCHIVE).collect();
        let received = self.fetch(&archives).await?;
        let wanted: BTreeSet<Digest> = wanted.collect();
        for archive in archives {
            let packed = self.cache.read(&archive.digest);
            let packed = packed.with_context(|| format!("{} is damaged", archive.digest))?;
            let (cache, wanted) = (self.cache.clone(), wanted.clone());
            let unpack = move || {
                archive::each_file(packed.as_slice(), |content| {
                    if wanted.contains(&Digest::of(content)) {
                        cache.store(content)?;
                    }
                    Ok(())
                })
            };
            let unpacked = tokio::task::spawn_blocking(unpack).await?;
            unpacked
                .with_context(|| format!("the layer {} of {}", archive.digest, self.reference))?;
        }
        let missing = self.missing(files.keys().copied().cloned()).await?;
        if let Some((digest, component)) = files.iter().find(|(digest, _)| missing.contains(digest))
        {
            bail!(
                "component `{component}` of {} names {digest}, which is in none of its layers: push the application again",
                self.reference
            );
        }
        Ok(received)
    }

    /// The contents that the cache lacks. Their digests are computed, which occupies a processor.
    async fn missing(
        &self,
        digests: impl Iterator<Item = Digest>,
    ) -> anyhow::Result<BTreeSet<Digest>> {
        let (cache, digests) = (self.cache.clone(), digests.collect::<BTreeSet<_>>());
        let missing = move || {
            let digests = digests.into_iter();
            digests.filter(|digest| !cache.holds(digest)).collect()
        };
        Ok(tokio::task::spawn_blocking(missing).await?)
    }

    fn text(&self, part: &Descriptor) -> anyhow::Result<String> {
        let bytes = self.cache.read(&part.digest);
        let bytes = bytes.with_context(|| {
            format!(
                "{} was damaged as soon as it was written: check the disk",
                part.digest
            )
        })?;
        String::from_utf8(bytes).with_context(|| {
            format!(
                "the part {} of {} is not text: push it again",
                part.digest, self.reference
            )
        })
    }
}

/// The digests of all contents of an application, also of those that come from an archive.
fn files(app: &LockedApp) -> impl Iterator<Item = Digest> {
    app.contents().filter_map(|(_, content)| {
        let named = content.digest.clone();
        named.or_else(|| content.inline.as_deref().map(Digest::of))
    })
}
