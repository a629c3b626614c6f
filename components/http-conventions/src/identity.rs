//! The variables with which an application names its identity, for components that verify access tokens.

/// Who verifies access tokens: `components`, or `host`, which `socar` sets.
pub const VERIFIER: &str = "identity_verifier";

/// The issuer of access tokens.
pub const ISSUER: &str = "identity_issuer";

/// The name of this platform in access tokens.
pub const AUDIENCE: &str = "identity_audience";

/// The public keys of the issuer.
pub const KEYS: &str = "identity_keys";

/// The claim that holds the roles.
pub const ROLES: &str = "identity_roles";

/// The variables that must all have a value. If one of them has, the platform has an identity.
pub const REQUIRED: [&str; 3] = [ISSUER, AUDIENCE, KEYS];
