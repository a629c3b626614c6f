//! Authentication of a request on a host that does not verify access tokens.

use super::{
    calls::types,
    receiver,
    variables::{declared, variable},
};
use crate::{
    http::{Readers, Response, bearer::Receiver, context_calls, relay},
    identity::{self, Credentials, Verifier, refused, remove_principal, set_principal},
    report::report,
};
use bindings::socar::identity::tokens as wit;
use http::request::Parts;
use http_conventions::{
    authentication::Refusal,
    principal::{Principal, Role},
};
use platform_token::SigningKeys;
use std::cell::Cell;

/// The interface of the component that verifies access tokens. On `socar`, no request calls it.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "package socar:kit-identity; world verified { import socar:identity/tokens@1.0.0; }",
        with: { "socar:calls/types@1.0.0": super::types },
        generate_all,
    });
}

thread_local! {
    /// Who verifies access tokens; unknown before the first request of this instance. It is the same for every request, and
    /// each reading of a variable is a call of the host.
    static VERIFIER: Cell<Option<Verifier>> = const { Cell::new(None) };
}

/// What has become of the authentication of a request.
pub(super) struct Authentication {
    /// The response to a request that is not authenticated.
    pub result: Result<(), Response>,
    /// The pages that may read the response.
    pub readers: Readers,
}

/// Names the principal of a request to a context, unless the host did.
pub(super) async fn authenticate(head: &mut Parts, context: &'static str) -> Authentication {
    let verifier = verifier().await;
    if verifier == Verifier::Host {
        return Authentication::not_needed();
    }
    if verifier.is_in_doubt(&head.headers) {
        report("declare the variable identity_verifier, as in the spin.toml of this version");
        return Authentication::with_identity(Err(Refusal::Unavailable));
    }
    remove_principal(&mut head.headers);
    match is_configured().await {
        Ok(false) => Authentication::not_needed(),
        Ok(true) => Authentication::with_identity(name_principal(head, context).await),
        Err(error) => {
            report(&error);
            Authentication::with_identity(Err(Refusal::Unavailable))
        }
    }
}

async fn name_principal(head: &mut Parts, context: &'static str) -> Result<(), Refusal<String>> {
    let credentials = Credentials::of(head).map_err(|_| Refusal::TokenRequired)?;
    let token = match credentials {
        Credentials::Internal => return set_principal(&mut head.headers, Principal::Platform),
        Credentials::NotNeeded => return set_principal(&mut head.headers, Principal::Anonymous),
        Credentials::Token(token) => token,
    };
    if is_platform_token(token, context).await {
        return set_principal(&mut head.headers, Principal::Platform);
    }
    let user = verified(token.to_owned()).await?;
    let role = match user.role {
        wit::Role::Customer => Role::Customer,
        wit::Role::Host => Role::Host,
        wit::Role::Operator => Role::Operator,
    };
    let subject = user.subject.as_str();
    set_principal(&mut head.headers, Principal::User { role, subject })
}

async fn verified(token: String) -> Result<wit::User, Refusal<String>> {
    // The verifier calls nothing, so that it has no use for the origin.
    let origin = types::Origin {
        correlation_id: String::new(),
        traceparent: String::new(),
        deadline: None,
    };
    let verified = wit::verify(origin, token).await;
    verified.map_err(|refusal| match refusal {
        wit::Refusal::Invalid(reason) => Refusal::InvalidToken(reason),
        wit::Refusal::WithoutRole => Refusal::RoleRequired,
        wit::Refusal::Unavailable(unavailable) => {
            report(&unavailable.message);
            Refusal::Unavailable
        }
    })
}

/// Whether another part of the platform sends the request.
async fn is_platform_token(sent: &str, context: &'static str) -> bool {
    let Receiver { context, now } = receiver(context);
    let mut found = false;
    for name in [relay::SECRET, context_calls::TOKEN] {
        let keys = SigningKeys::read(&variable(name).await);
        found |= keys.is_some_and(|keys| keys.verify(sent, context, now).is_ok());
    }
    found
}

async fn verifier() -> Verifier {
    if let Some(known) = VERIFIER.get() {
        return known;
    }
    // A value that cannot be read is read again by the next request. Until then, a principal is in doubt.
    match declared(identity::VERIFIER).await {
        Ok(value) => {
            let verifier = Verifier::named(value.as_deref());
            VERIFIER.set(Some(verifier));
            verifier
        }
        Err(_) => Verifier::Undeclared,
    }
}

/// Whether the platform has an identity, however incomplete its settings are.
///
/// # Errors
///
/// When a variable cannot be read: the platform is not open then.
async fn is_configured() -> Result<bool, String> {
    for name in identity::REQUIRED {
        if declared(name).await?.is_some_and(|value| !value.is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

// === impl Authentication ===

impl Authentication {
    /// Nothing was to be verified here. If the host has an identity, it decides which pages read the response.
    fn not_needed() -> Self {
        Self {
            result: Ok(()),
            readers: Readers::EveryPage,
        }
    }

    fn with_identity(result: Result<(), Refusal<String>>) -> Self {
        Self {
            result: result.map_err(|refusal| refused(&refusal)),
            readers: Readers::OwnPages,
        }
    }
}
