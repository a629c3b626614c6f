//! `config.json` of docker: stored credentials, and the programs that store them in its place.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::Credentials;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The part of `config.json` that is about credentials.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    auths: BTreeMap<String, StoredEntry>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

/// Where the credentials of one registry are.
#[derive(Debug, PartialEq, Eq)]
pub enum CredentialSource<'a> {
    /// In `config.json`.
    File,
    /// In the store of the program `docker-credential-<name>`.
    Helper(&'a str),
}

/// One entry of `auths`. It is empty when a credential helper has the content.
#[derive(Default, Deserialize)]
#[serde(default)]
struct StoredEntry {
    /// `user:password` in base64.
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
}

// === impl DockerConfig ===

impl DockerConfig {
    /// Reads the file; `None` when there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is malformed. The error shows nothing of its content.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let shown = path.display();
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| {
                    format!(
                        "cannot read the credentials in {shown}: make it readable for this user"
                    )
                });
            }
        };
        // The message of the parser may show a value.
        let malformed = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            anyhow!(
                "{shown}:{line}:{column}: not a configuration of docker: correct it, or log in again with `docker login`"
            )
        };
        serde_json::from_slice(&text).map(Some).map_err(malformed)
    }

    /// Where docker would look for the credentials of a registry.
    pub fn source(&self, registry: &str) -> CredentialSource<'_> {
        let of_registry = self
            .cred_helpers
            .iter()
            .find(|(key, _)| host_of(key) == host_of(registry));
        let helper = of_registry.map(|(_, helper)| helper.as_str());
        let helper = helper.or(self.creds_store.as_deref());
        match helper.filter(|name| !name.is_empty()) {
            Some(name) => CredentialSource::Helper(name),
            None => CredentialSource::File,
        }
    }

    /// The credentials that the file itself contains.
    ///
    /// # Errors
    /// When the entry of the registry is malformed, or of a kind that is not supported.
    pub fn stored(&self, registry: &str) -> anyhow::Result<Option<Credentials>> {
        let mut entries = self.auths.iter();
        let exact = self.auths.get(registry);
        let entry = exact.or_else(|| {
            let found = entries.find(|(key, _)| host_of(key) == host_of(registry));
            found.map(|(_, entry)| entry)
        });
        match entry {
            Some(entry) => entry
                .credentials()
                .with_context(|| format!("the entry `{registry}` of `auths`")),
            None => Ok(None),
        }
    }
}

// === impl StoredEntry ===

impl StoredEntry {
    fn credentials(&self) -> anyhow::Result<Option<Credentials>> {
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Ok(Some(Credentials {
                user: user.clone(),
                secret: password.clone(),
            }));
        }
        if self.identitytoken.as_ref().is_some_and(|it| !it.is_empty()) {
            bail!(
                "it has an identity token, which socar does not support: log in with a user and a password"
            );
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let decoded = BASE64.decode(auth.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let parts = decoded.as_deref().and_then(|text| text.split_once(':'));
        let Some((user, password)) = parts else {
            bail!("its `auth` is not user:password in base64: log in again with `docker login`");
        };
        Ok(Some(Credentials {
            user: user.to_owned(),
            // Docker fills the text with zeros in older files.
            secret: password.trim_end_matches('\0').to_owned(),
        }))
    }
}

/// The host and port of a key, which may be a URL.
fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}
