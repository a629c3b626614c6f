//! The media types of Spin's artifacts, and the one of our policies.

/// The manifest of an image in the format of OCI.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The configuration of an image in the format of OCI.
pub const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// The locked application. Earlier versions of Spin put it in the place of the configuration.
pub const LOCKED_APPLICATION: &str = "application/vnd.fermyon.spin.application.v1+config";

/// A component.
pub const WASM: &str = "application/vnd.wasm.content.layer.v1+wasm";

/// One file.
pub const DATA: &str = "application/vnd.wasm.content.layer.v1+data";

/// Many files, for applications with more files than a registry accepts layers.
pub const ARCHIVE: &str = "application/vnd.wasm.content.bundle.v1.tar+gzip";

/// The `tool.socar` tables of the manifest in the format of `--policies`. Spin ignores a layer that it does not know.
pub const POLICIES: &str = "application/vnd.socar.policies.v1+toml";
