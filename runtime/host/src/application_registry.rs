//! Applications in registries: where their parts are kept, and how a registry is reached.
//!
//! Pulled content is in the state directory. That is the only directory which a pod can write, and it survives a
//! restart of the host, which then needs no registry.

use std::path::Path;

use oci::{Cache, CredentialStore, PulledApp, Reference, Registry, RegistryAccess, RequestLimits};

use crate::client::tls_config;
use crate::private_directory;

/// Brings an application into the state directory.
///
/// # Errors
/// When the registry cannot be used, or the application is damaged.
pub async fn pull(
    reference: &Reference,
    state_dir: &Path,
    insecure: bool,
) -> anyhow::Result<PulledApp> {
    private_directory::create(state_dir)?;
    let registry = Registry::new(reference, access(insecure))?;
    let cache = Cache::new(state_dir.join("registry"));
    oci::pull(&registry, reference, &cache).await
}

/// The way to a registry: with the certificates that all connections of the host trust, and the credentials of docker.
pub fn access(insecure: bool) -> RegistryAccess {
    RegistryAccess {
        tls: tls_config(),
        credentials: CredentialStore::from_environment(),
        insecure,
        limits: RequestLimits::default(),
    }
}
