//! The locked application: Spin's form of a manifest whose content is named by digests.
//!
//! The fields and their spelling are Spin's. Fields that are unknown here are ignored as Spin ignores them: what a host
//! must not ignore is listed in `must_understand` and `host_requirements`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::digest::Digest;

/// The requirement of an application whose components call each other by `<id>.spin.internal`.
pub const SERVICE_CHAINING: &str = "local_service_chaining";

/// The value of a requirement that the host must meet.
pub const REQUIRED: &str = "required";

/// The feature that a host must know when a component has `host_requirements`.
pub const COMPONENT_HOST_REQUIREMENTS: &str = "component_host_requirements";

/// Spin writes no padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A locked application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LockedApp {
    /// 1 when a host must meet requirements, else 0.
    pub spin_lock_version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_understand: Vec<String>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub host_requirements: Map<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, LockedVariable>,
    pub triggers: Vec<LockedTrigger>,
    pub components: Vec<LockedComponent>,
}

/// A variable; without a default it is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LockedVariable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// A trigger with its settings as the manifest has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedTrigger {
    pub id: String,
    pub trigger_type: String,
    pub trigger_config: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trigger_dependencies: Map<String, Value>,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedComponent {
    pub id: String,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
    pub source: LockedSource,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<LockedFile>,
    /// The `variables` of the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dependencies: BTreeMap<String, LockedDependency>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub trigger_dependencies: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub host_requirements: Map<String, Value>,
}

/// The file of a component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedSource {
    pub content_type: String,
    #[serde(flatten)]
    pub content: ContentReference,
}

/// A file of a component, with its path in the component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedFile {
    #[serde(flatten)]
    pub content: ContentReference,
    pub path: String,
}

/// A component that implements an import of another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedDependency {
    pub source: LockedSource,
    #[serde(default)]
    pub export: Option<String>,
    #[serde(default, skip_serializing_if = "LockedInheritance::is_empty")]
    pub inherit: LockedInheritance,
}

/// The grants of its caller that a dependency has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LockedInheritance {
    All,
    Some(Vec<String>),
}

/// A content by its digest, or in place when it is small.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContentReference {
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "encode",
        deserialize_with = "decode"
    )]
    pub inline: Option<Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

// === impl LockedInheritance ===

impl Default for LockedInheritance {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl LockedInheritance {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Some(keys) if keys.is_empty())
    }
}

// === impl LockedApp ===

impl LockedApp {
    /// Every content that the application names, with the name of its component.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &ContentReference)> {
        self.components.iter().flat_map(|component| {
            let dependencies = component.dependencies.values();
            let sources = dependencies.map(|it| &it.source.content);
            let files = component.files.iter().map(|it| &it.content);
            let all = std::iter::once(&component.source.content)
                .chain(sources)
                .chain(files);
            all.map(|content| (component.id.as_str(), content))
        })
    }
}

fn encode<S: Serializer>(content: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    content
        .as_ref()
        .map(|bytes| BASE64.encode(bytes))
        .serialize(serializer)
}

fn decode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let decoded = text.map(|text| BASE64.decode(text)).transpose();
    decoded.map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_contents_are_written_as_spin_writes_them() {
        let small = ContentReference {
            inline: Some(b"ab".to_vec()),
            digest: Some(Digest::of(b"ab")),
        };
        let json = serde_json::to_value(&small).unwrap();
        assert_eq!(json["inline"], "YWI");
        for padded in ["YWI", "YWI="] {
            let read = serde_json::json!({"inline": padded, "digest": Digest::of(b"ab")});
            assert_eq!(
                serde_json::from_value::<ContentReference>(read).unwrap(),
                small
            );
        }
        let nothing = serde_json::to_value(ContentReference::default()).unwrap();
        assert_eq!(nothing, serde_json::json!({}));
    }

    #[test]
    fn inherited_grants_are_written_as_spin_writes_them() {
        let all = serde_json::to_value(LockedInheritance::All).unwrap();
        assert_eq!(all, "All");
        let some = LockedInheritance::Some(vec!["variables".to_owned()]);
        let json = serde_json::to_value(some).unwrap();
        assert_eq!(json, serde_json::json!({"Some": ["variables"]}));
    }
}
