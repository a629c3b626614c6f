//! How a page signs its users in.

use serde::Serialize;

/// How a page signs its users in, as `GET /identity` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum IdentityMode {
    /// No user signs in.
    Open,
    /// With tokens of a key in the state directory.
    Local,
    /// With the authorization-code flow of an OpenID provider.
    #[serde(rename_all = "camelCase")]
    Issuer {
        /// The URL of the provider.
        issuer: String,
        /// By which name the provider knows the page.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mode_says_what_a_page_needs() {
        let issuer = |client_id: Option<&str>| IdentityMode::Issuer {
            issuer: "https://issuer.example".into(),
            client_id: client_id.map(str::to_owned),
        };
        for (mode, expected) in [
            (IdentityMode::Open, json!({ "mode": "open" })),
            (IdentityMode::Local, json!({ "mode": "local" })),
            (
                issuer(None),
                json!({ "mode": "issuer", "issuer": "https://issuer.example" }),
            ),
            (
                issuer(Some("socar-page")),
                json!({ "mode": "issuer", "issuer": "https://issuer.example", "clientId": "socar-page" }),
            ),
        ] {
            assert_eq!(serde_json::to_value(mode).unwrap(), expected);
        }
    }
}
