//! Names of interfaces, such as `socar:car/holds@1.0.0`, and when one version stands for another.

use std::fmt;

use semver::{Comparator, Op, Version};

/// The namespaces of the interfaces that only a host can serve.
const HOST_NAMESPACES: [&str; 3] = ["wasi:", "spin:", "fermyon:"];

/// The name of an interface that a component imports or exports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceName {
    /// Namespace and name, such as `socar:car`.
    package: String,
    interface: String,
    version: Option<Version>,
}

// === impl InterfaceName ===

impl InterfaceName {
    /// Parses `namespace:package/interface`, with or without `@version`. `None` for a name of another form.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = split_version(text)?;
        let (package, interface) = name.split_once('/')?;
        let (namespace, plain) = package.split_once(':')?;
        let is_whole = [namespace, plain, interface]
            .iter()
            .all(|part| !part.is_empty() && !part.contains([':', '/']));
        is_whole.then(|| Self {
            package: package.to_owned(),
            interface: interface.to_owned(),
            version,
        })
    }

    /// Namespace and name of the package, such as `socar:car`.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// Whether the interface is of a namespace whose interfaces only a host can serve.
    pub fn is_of_host(&self) -> bool {
        let mut namespaces = HOST_NAMESPACES.iter();
        namespaces.any(|namespace| self.package.starts_with(namespace))
    }

    /// Whether the interface is of one of these packages, such as `wasi:io@0.2.0`, in a version of the same range: each
    /// satisfies an import of the other, as hosts link interfaces. A pre-release is a range of its own.
    pub fn is_of_any(&self, packages: &[&str]) -> bool {
        let mut packages = packages.iter().filter_map(|package| split_version(package));
        packages.any(|(package, version)| {
            let is_same_range = match (&self.version, &version) {
                (Some(one), Some(other)) => range(one) == range(other),
                (one, other) => one == other,
            };
            self.package == package && is_same_range
        })
    }

    /// The version, if the name has one.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    pub(super) fn has_version(&self) -> bool {
        self.version.is_some()
    }

    /// Whether both are versions of one interface, compatible or not.
    pub fn is_same_interface(&self, other: &Self) -> bool {
        (&self.package, &self.interface) == (&other.package, &other.interface)
    }

    /// Whether an export of this name has everything that an import of `self` needs: it is the same interface in the
    /// same version, or in a later one that semantic versioning calls compatible.
    pub fn is_satisfied_by(&self, export: &Self) -> bool {
        let is_compatible = match (&self.version, &export.version) {
            (Some(needed), Some(offered)) => caret(needed).matches(offered),
            (needed, offered) => needed == offered,
        };
        self.is_same_interface(export) && is_compatible
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.interface)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

/// Splits `name@version`. `None` when the version is invalid.
pub(super) fn split_version(text: &str) -> Option<(&str, Option<Version>)> {
    match text.split_once('@') {
        Some((name, version)) => Some((name, Some(Version::parse(version).ok()?))),
        None => Some((text, None)),
    }
}

/// The versions that are compatible with this one: the first part that is not zero is the same.
fn range(version: &Version) -> (u64, u64, u64, &str) {
    let pre = version.pre.as_str();
    match (version.major, version.minor) {
        (major, minor) if !pre.is_empty() => (major, minor, version.patch, pre),
        (0, 0) => (0, 0, version.patch, pre),
        (0, minor) => (0, minor, 0, pre),
        (major, _) => (major, 0, 0, pre),
    }
}

fn caret(needed: &Version) -> Comparator {
    Comparator {
        op: Op::Caret,
        major: needed.major,
        minor: Some(needed.minor),
        patch: Some(needed.patch),
        pre: needed.pre.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InterfaceName {
        InterfaceName::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn a_name_is_shown_as_it_is_written() {
        for text in [
            "socar:car/holds@1.0.0",
            "socar:car/holds",
            "a:b/c@0.2.0-rc.1",
        ] {
            assert_eq!(name(text).to_string(), text);
        }
        for text in [
            "holds",
            "socar:car",
            "car/holds",
            "a:b/c@1",
            "a:b/",
            "a:b/c/d",
        ] {
            assert_eq!(InterfaceName::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_later_compatible_version_satisfies_an_import() {
        for (import, export, expected) in [
            ("a:b/c@1.0.0", "a:b/c@1.0.0", true),
            ("a:b/c@1.0.0", "a:b/c@1.1.0", true),
            ("a:b/c@1.1.0", "a:b/c@1.0.0", false),
            ("a:b/c@1.0.0", "a:b/c@2.0.0", false),
            ("a:b/c@0.1.0", "a:b/c@0.1.2", true),
            ("a:b/c@0.1.0", "a:b/c@0.2.0", false),
            ("a:b/c@1.0.0", "a:b/d@1.0.0", false),
            ("a:b/c", "a:b/c", true),
            ("a:b/c@1.0.0", "a:b/c", false),
        ] {
            let is_satisfied = name(import).is_satisfied_by(&name(export));
            assert_eq!(is_satisfied, expected, "{import} by {export}");
        }
    }

    #[test]
    fn a_package_serves_every_compatible_version() {
        for (import, packages, expected) in [
            ("wasi:io/poll@0.2.9", &["wasi:io@0.2.0"][..], true),
            ("wasi:io/poll@0.3.0", &["wasi:io@0.2.0"], false),
            ("wasi:io/poll@0.3.0-rc.1", &["wasi:io@0.3.0"], false),
            (
                "wasi:kv/store@0.2.0-draft2",
                &["wasi:kv@0.2.0-draft2"],
                true,
            ),
            (
                "spin:sqlite/sqlite@3.1.0",
                &["a:b@3.0.0", "spin:sqlite@3.0.0"],
                true,
            ),
            (
                "spin:postgres/postgres@4.2.0",
                &["spin:sqlite@4.2.0"],
                false,
            ),
            ("fermyon:spin/llm@2.0.0", &[], false),
        ] {
            assert_eq!(name(import).is_of_any(packages), expected, "{import}");
        }
    }
}
