//! The flags of the identity.

use clap::Args;

/// The flags of the identity.
#[derive(Args, Clone, Debug, Default)]
pub struct IdentityOptions {
    /// The issuer of the access tokens that clients must send: `local` for those of `socar token`, or the URL of an OpenID
    /// provider.
    #[arg(long, value_name = "ISSUER", env = "SOCAR_IDENTITY")]
    pub identity: Option<String>,

    /// The name by which the issuer calls this platform, in `aud` of every access token.
    #[arg(long, value_name = "NAME", env = "SOCAR_AUDIENCE")]
    pub audience: Option<String>,

    /// The name by which the issuer knows the page of this platform, as a public client of the authorization-code flow.
    #[arg(long, value_name = "NAME", env = "SOCAR_CLIENT_ID")]
    pub client_id: Option<String>,

    /// Allow a platform without identity on an address that other machines reach. It has no effect with an identity.
    #[arg(long, env = "SOCAR_OPEN")]
    pub open: bool,
}
