//! Names of interfaces, such as `socar:car/holds@1.0.0`, and when one version stands for another.

use std::fmt;

use semver::{Comparator, Op, Version};

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
}
