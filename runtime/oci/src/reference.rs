//! References: the name of an application in a registry, as docker and Spin write it.
//!
//! `registry.example.com/team/app:1.0` names a version by its tag, which may be moved;
//! `registry.example.com/team/app@sha256:…` names exactly one. Without a registry, it is Docker Hub.

use std::fmt;
use std::net::IpAddr;

use anyhow::{Context as _, bail, ensure};
use config::without_credentials;

use crate::digest::Digest;

/// The registry of names without one.
const DOCKER_HUB: &str = "docker.io";

/// The tag of a name without tag and digest.
const DEFAULT_TAG: &str = "latest";

const FORM: &str = "write it as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…";

/// The name of an application in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

// === impl Reference ===

impl Reference {
    /// Parses a reference.
    ///
    /// # Errors
    /// When a part of it is malformed.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        // What was meant as a URL may hold a password.
        let shown = || format!("`{}` is no reference: {FORM}", without_credentials(text));
        Self::parse_parts(text).with_context(shown)
    }

    fn parse_parts(text: &str) -> anyhow::Result<Self> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DOCKER_HUB, name),
        };
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        check_registry(registry)?;
        let is_official = registry == DOCKER_HUB && !repository.contains('/');
        let repository = match is_official {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        ensure!(
            repository.len() <= 255 && repository.split('/').all(is_path_component),
            "the name `{repository}` is not made of lower-case words with digits, `.`, `_` and `-`"
        );
        if let Some(tag) = tag {
            ensure!(is_tag(tag), "`{tag}` is not a tag");
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest,
        })
    }

    /// Whether a text that names no existing file is a reference rather than a file, as `spin up` decides it: it has a
    /// tag, a digest or a registry, and does not end like a manifest.
    pub fn is_likely(text: &str) -> bool {
        let Ok(reference) = Self::parse(text) else {
            return false;
        };
        let has_version = reference.tag.is_some() || reference.digest.is_some();
        let has_registry = reference.registry != DOCKER_HUB || text.starts_with(DOCKER_HUB);
        !text.ends_with(".toml") && (has_version || has_registry)
    }

    /// The registry as it is written, with its port.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name and port of the host to connect to.
    pub fn host(&self) -> &str {
        match self.registry.as_str() {
            DOCKER_HUB => "registry-1.docker.io",
            registry => registry,
        }
    }

    /// The name that credentials are stored under.
    pub fn credential_key(&self) -> &str {
        match self.registry.as_str() {
            DOCKER_HUB => "https://index.docker.io/v1/",
            registry => registry,
        }
    }

    /// Whether the registry is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(host_of(&self.registry))
    }

    /// The path of the application in the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest, if the reference has one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag; `latest` without one.
    pub fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or(DEFAULT_TAG)
    }

    /// What the registry is asked for: the digest, or else the tag.
    pub fn version(&self) -> &str {
        self.digest
            .as_ref()
            .map_or_else(|| self.tag(), Digest::as_str)
    }

    /// The same application, named by this digest alone.
    #[must_use]
    pub fn at(&self, digest: &Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest.clone()),
            ..self.clone()
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Whether the part before the first slash is a registry and not the first word of a name.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':'])
}

fn check_registry(registry: &str) -> anyhow::Result<()> {
    let host = host_of(registry);
    let port = &registry[host.len()..];
    if let Some(port) = port.strip_prefix(':') {
        ensure!(port.parse::<u16>().is_ok(), "`{port}` is not a port");
    }
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let is_name = !host.is_empty() && !host.starts_with(['.', '-']) && host.bytes().all(is_word);
    match is_name || ip_address(host).is_some_and(|address| address.is_ipv6()) {
        true => Ok(()),
        false => bail!("`{registry}` is not the name of a host"),
    }
}

/// The name without the port.
fn host_of(registry: &str) -> &str {
    match registry.find(']') {
        Some(end) => &registry[..=end],
        None => registry.split(':').next().unwrap_or_default(),
    }
}

/// Whether a host, without its port, is this machine.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || ip_address(host).is_some_and(|address| address.is_loopback())
}

fn ip_address(host: &str) -> Option<IpAddr> {
    let unbracketed = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match unbracketed {
        Some(address) => address.parse().ok().filter(IpAddr::is_ipv6),
        None => host.parse().ok().filter(IpAddr::is_ipv4),
    }
}

/// Lower-case words of letters and digits, with one `.`, up to two `_` or any number of `-` between them.
fn is_path_component(component: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut words = component.split(|letter: char| !letter.is_ascii_alphanumeric());
    let separators = component.split(|letter: char| letter.is_ascii_alphanumeric());
    let is_separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    let ends_are_words = |text: &str| {
        let is_end = |byte: Option<u8>| byte.is_some_and(is_word);
        is_end(text.bytes().next()) && is_end(text.bytes().last())
    };
    ends_are_words(component)
        && words.all(|word| word.bytes().all(is_word))
        && separators.into_iter().all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_inner = |byte: u8| is_letter(byte) || b".-".contains(&byte);
    tag.len() <= 128 && tag.bytes().next().is_some_and(is_letter) && tag.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_reference_has_a_registry_a_name_and_a_version() {
        for (text, registry, repository, version) in [
            ("localhost:5000/socar:1", "localhost:5000", "socar", "1"),
            ("127.0.0.1:5000/a/b", "127.0.0.1:5000", "a/b", "latest"),
            ("[::1]:5000/a:b", "[::1]:5000", "a", "b"),
            ("localhost/a", "localhost", "a", "latest"),
            (
                "ghcr.io/a/b__c-d.e:v1.2_3-x",
                "ghcr.io",
                "a/b__c-d.e",
                "v1.2_3-x",
            ),
            ("team/app:1", "docker.io", "team/app", "1"),
            ("app:1", "docker.io", "library/app", "1"),
        ] {
            let parsed = Reference::parse(text).unwrap();
            assert_eq!(
                (parsed.registry(), parsed.repository(), parsed.version()),
                (registry, repository, version),
                "{text}"
            );
        }
        let text = format!("ghcr.io/a/b:1@{DIGEST}");
        let parsed = Reference::parse(&text).unwrap();
        assert_eq!(parsed.version(), DIGEST);
        assert_eq!(parsed.to_string(), text);
        let digest = Digest::of(b"");
        assert_eq!(
            parsed.at(&digest).to_string(),
            format!("ghcr.io/a/b@{DIGEST}")
        );
    }

    #[test]
    fn a_malformed_reference_is_refused_with_its_form() {
        for text in [
            "",
            "ghcr.io/",
            "ghcr.io/App",
            "ghcr.io/a//b",
            "ghcr.io/a:",
            "ghcr.io/a:.1",
            "ghcr.io/a:b:c",
            "ghcr.io/-a",
            "ghcr.io/a___b",
            "ghcr.io/../a",
            "ghcr.io:port/a",
            "ghcr.io:99999/a",
            "[::g]:5000/a",
            "a@sha512:00",
            "a@sha256:00",
            "user:secret@ghcr.io/a",
            "https://ghcr.io/a",
        ] {
            let refused = format!("{:#}", Reference::parse(text).unwrap_err());
            assert!(refused.contains("REGISTRY/NAME:TAG"), "{text}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }

    #[test]
    fn files_and_references_are_told_apart_as_by_spin() {
        for reference in [
            "ghcr.io/a/b:1",
            "ghcr.io/a/b",
            "localhost:5000/a",
            "team/app:1",
            "app:latest",
            &format!("team/app@{DIGEST}"),
        ] {
            assert!(Reference::is_likely(reference), "{reference}");
        }
        for file in [
            "spin.toml",
            "app/spin.toml",
            "/app/spin.toml",
            "./app",
            "../app",
            "app",
            "team/app",
            "deploy.d/app.toml",
            "App:1",
        ] {
            assert!(!Reference::is_likely(file), "{file}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, expected) in [
            ("localhost:5000/a", true),
            ("127.0.0.1/a", true),
            ("127.1.2.3:1/a", true),
            ("[::1]:5000/a", true),
            ("localhost.example.com/a", false),
            ("127.0.0.1.example.com/a", false),
            ("10.0.0.1:5000/a", false),
            ("[::2]:5000/a", false),
            ("team/app:1", false),
        ] {
            let parsed = Reference::parse(text).unwrap();
            assert_eq!(parsed.is_loopback(), expected, "{text}");
        }
    }

    proptest::proptest! {
        /// Whatever is typed: it is a reference that is written as it was read, or it is refused without a secret.
        #[test]
        fn any_reference_is_read_or_refused(
            text in "([a-z.:]{0,12}(:[a-z0-9]{1,6})?/)?[a-zA-Z0-9._/-]{0,20}(:[a-z0-9.]{0,6})?(@(sha256:[0-9a-f]{0,64}|hunter2))?",
        ) {
            let _ = Reference::is_likely(&text);
            match Reference::parse(&text) {
                Ok(reference) => {
                    let again = Reference::parse(&reference.to_string());
                    proptest::prop_assert_eq!(again.ok(), Some(reference));
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    proptest::prop_assert!(error.contains("REGISTRY/NAME"));
                }
            }
        }
    }
}
