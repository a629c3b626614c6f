//! `[application.tool.socar.identity]`: whose access tokens the platform accepts.

use std::fmt;

use crate::document::{ConfigError, Located, Table, suggest};

/// Whose access tokens the platform accepts, as the manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// `issuer`: `local`, or the URL of an issuer; no identity if absent.
    pub issuer: Option<String>,
    /// `audience`: what the issuer calls this platform.
    pub audience: Option<String>,
    /// `client_id`: by which name the issuer knows the page of the platform.
    pub client_id: Option<String>,
    /// `scopes`: what the page asks the issuer for.
    pub scopes: Option<String>,
    /// `roles`: the claim with the roles, if it is not `roles`.
    pub roles: Option<String>,
    platform_keys: PlatformKeys,
}

/// The signing keys of other parts of the platform. Its `Debug` output contains their number only.
#[derive(Clone, Default, PartialEq, Eq)]
struct PlatformKeys(Vec<String>);

/// The table before its variables have values.
#[derive(Debug, Default)]
pub(crate) struct IdentityTable {
    issuer: Option<Located<String>>,
    audience: Option<Located<String>>,
    client_id: Option<Located<String>>,
    scopes: Option<Located<String>>,
    roles: Option<Located<String>>,
    tokens: Vec<Located<String>>,
}

// === impl IdentityTable ===

impl IdentityTable {
    /// Reads the table.
    ///
    /// # Errors
    /// When a key is unknown or a value is invalid.
    pub(super) fn read(mut table: Table) -> Result<Self, ConfigError> {
        let issuer = table.string("issuer")?;
        let audience = table.string("audience")?;
        let client_id = table.string("client_id")?;
        let scopes = table.string("scopes")?;
        let roles = table.string("roles")?;
        for written in [&issuer, &audience, &client_id, &scopes, &roles]
            .into_iter()
            .flatten()
        {
            if written.value.is_empty() {
                return Err(written.error("empty", "write a value, or remove the key"));
            }
        }
        let tokens = table.strings("platform_tokens")?;
        table.finish()?;
        Ok(Self {
            issuer,
            audience,
            client_id,
            scopes,
            roles,
            tokens,
        })
    }

    /// The policy with the values of its variables; `render` replaces the templates of a text, `variable` returns the
    /// value of a declared variable, `names` are all of them. A key whose variable is empty is absent.
    ///
    /// # Errors
    /// When a variable is not declared.
    pub(crate) fn resolve<'v>(
        self,
        render: impl Fn(&Located<String>) -> Result<String, ConfigError>,
        variable: impl Fn(&str) -> Option<&'v str>,
        names: &[&'v str],
    ) -> Result<IdentityPolicy, ConfigError> {
        let rendered = |written: Option<Located<String>>| {
            let text = written.as_ref().map(&render).transpose()?;
            Ok::<_, ConfigError>(text.filter(|text| !text.is_empty()))
        };
        let mut policy = IdentityPolicy {
            issuer: rendered(self.issuer)?,
            audience: rendered(self.audience)?,
            client_id: rendered(self.client_id)?,
            scopes: rendered(self.scopes)?,
            roles: rendered(self.roles)?,
            platform_keys: PlatformKeys::default(),
        };
        for name in self.tokens {
            let Some(value) = variable(&name.value) else {
                let remedy = suggest(
                    &name.value,
                    names.iter().copied(),
                    "declare it in [variables]",
                );
                return Err(name.error("there is no such variable in [variables]", remedy));
            };
            if !value.is_empty() {
                policy.platform_keys.0.push(value.to_owned());
            }
        }
        Ok(policy)
    }
}

// === impl IdentityPolicy ===

impl IdentityPolicy {
    /// `platform_tokens`: the values of the variables with the signing keys of other parts of the platform.
    pub fn platform_keys(&self) -> impl Iterator<Item = &str> {
        self.platform_keys.0.iter().map(String::as_str)
    }
}

// === impl PlatformKeys ===

impl fmt::Debug for PlatformKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.0.len())
    }
}
