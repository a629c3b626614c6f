//! Credentials for a private registry, as `docker login` stores them.
//!
//! They are read only when a registry asks for them, so that a public one needs no configuration. No error and no log
//! line contains them.

mod docker_config;
mod helper;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use docker_config::{CredentialSource, DockerConfig};

/// A user of a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name of the user.
    pub user: String,
    /// The password, or a token in its place.
    pub secret: String,
}

/// Where credentials are looked for.
#[derive(Clone, Debug, Default)]
pub struct CredentialStore {
    /// The configuration file of docker, if this user can have one.
    config: Option<PathBuf>,
}

// === impl Credentials ===

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

// === impl CredentialStore ===

impl CredentialStore {
    /// The configuration of this user: `$DOCKER_CONFIG/config.json`, or else `~/.docker/config.json`.
    pub fn from_environment() -> Self {
        let directory = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let configured = directory("DOCKER_CONFIG").map(PathBuf::from);
        let of_home = || Some(Path::new(&directory("HOME")?).join(".docker"));
        Self {
            config: configured.or_else(of_home).map(|it| it.join("config.json")),
        }
    }

    /// The configuration in this file.
    pub fn in_file(config: PathBuf) -> Self {
        Self {
            config: Some(config),
        }
    }

    /// The credentials for a registry; `None` when none are stored.
    ///
    /// # Errors
    /// When the configuration is malformed, or the credential helper that it names fails.
    pub async fn find(&self, registry: &str) -> anyhow::Result<Option<Credentials>> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let Some(config) = DockerConfig::read(path)? else {
            return Ok(None);
        };
        let found = match config.source(registry) {
            CredentialSource::Helper(helper) => match helper::get(helper, registry).await {
                Ok(Some(found)) => Ok(Some(found)),
                // A store of credentials does not exclude older ones in the file.
                Ok(None) => config.stored(registry),
                Err(error) => Err(error),
            },
            CredentialSource::File => config.stored(registry),
        };
        found.with_context(|| format!("cannot use the credentials of {}", path.display()))
    }

    /// The file in words, for errors.
    pub fn shown(&self) -> String {
        match &self.config {
            Some(path) => path.display().to_string(),
            None => "~/.docker/config.json".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;
