//! Applications as artifacts in OCI registries, in the format of `spin registry push`.
//!
//! [`lock`] packs a manifest and its components, [`push`] stores the result in a [`Registry`]. [`pull`] brings it into
//! a [`Cache`] and writes a manifest beside it that the host reads as every other one. What travels is named and checked
//! by a [`Digest`]. The policies of the host, which Spin does not know, are a layer of their own.
//!
//! ```text
//! reference, digest <- failure <- transport <- authorization <- registry <- push, pull
//! locked_app <- lock, unlock
//! ```

mod archive;
mod authorization;
mod cache;
mod challenge;
mod credentials;
mod digest;
mod failure;
mod image_manifest;
mod lock;
mod locked_app;
mod media_type;
mod pull;
mod push;
mod reference;
mod registry;
mod transport;
mod unlock;

pub use cache::Cache;
pub use credentials::{CredentialStore, Credentials};
pub use digest::{Digest, InvalidDigest};
pub use failure::RequestLimits;
pub use lock::{Artifact, ArtifactDetails, lock};
pub use pull::{PulledApp, pull};
pub use push::{PushReport, push};
pub use reference::Reference;
pub use registry::{Registry, RegistryAccess};
