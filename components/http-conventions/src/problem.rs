//! The constants of problem details (RFC 9457).

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// The start of the `type` of every problem of the platform. A slug follows.
pub const TYPE_PREFIX: &str = "https://socar.dev/problems/";
