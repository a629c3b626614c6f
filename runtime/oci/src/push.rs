//! `socar registry push`: the blobs that the registry lacks, and then the manifest that names them.

use anyhow::ensure;

use crate::lock::Artifact;
use crate::media_type;
use crate::reference::Reference;
use crate::registry::Registry;

/// What a push has sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushReport {
    /// The blobs that the registry did not have.
    pub sent: usize,
    /// The blobs that it had.
    pub known: usize,
}

/// Stores an artifact under the tag of the reference. The manifest comes last, so that no client finds a part of it.
///
/// # Errors
/// When the registry does not accept it.
pub async fn push(
    registry: &Registry,
    reference: &Reference,
    artifact: &Artifact,
) -> anyhow::Result<PushReport> {
    ensure!(
        reference.digest().is_none(),
        "a push chooses a tag, and the digest follows from the content: leave out `@…` in {reference}"
    );
    let mut report = PushReport::default();
    for (digest, content) in &artifact.blobs {
        match registry.put_blob(digest, content).await? {
            true => report.sent += 1,
            false => report.known += 1,
        }
    }
    let manifest = &artifact.manifest;
    registry
        .put_manifest(reference, media_type::IMAGE_MANIFEST, manifest)
        .await?;
    Ok(report)
}
