//! How Spin calls this component: the exported interface, with the settings in the variables of the caller.
#![expect(unsafe_code, reason = "the export macro writes the ABI glue")]

use crate::{Refusal, Settings, User};
use access_token::KeySet;
use bindings::exports::socar::identity::tokens as wit;
use bindings::socar::calls::types;
use http_conventions::{identity, principal::Role};
use spin_sdk::variables;
use std::{cell::RefCell, rc::Rc};

/// The exported interface; `wit/worlds.wit` shows the whole world of the component.
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        inline: "
            package socar:token-verifier-component;
            world offers {
                export socar:identity/tokens@1.0.0;
            }
        ",
        generate_all,
    });
}

struct Component;

bindings::export!(Component with_types_in bindings);

/// The keys in a text; `None` if they are unusable.
type ReadKeys = Option<Rc<KeySet>>;

thread_local! {
    /// The keys that the last token was verified with, and their text: reading them costs more than comparing a text.
    static KEYS: RefCell<(String, ReadKeys)> = const { RefCell::new((String::new(), None)) };
}

impl wit::Guest for Component {
    async fn verify(_: types::Origin, token: String) -> Result<wit::User, wit::Refusal> {
        // A variable that cannot be read is as one without a value: every token is refused.
        let variable = async |name: &str| variables::get(name).await.unwrap_or_default();
        let settings = Settings {
            issuer: variable(identity::ISSUER).await,
            audience: variable(identity::AUDIENCE).await,
            keys: variable(identity::KEYS).await,
            roles: variable(identity::ROLES).await,
        };
        let keys = keys(&settings.keys);
        Ok(crate::verify(&token, &settings, keys.as_deref())?.into())
    }
}

fn keys(text: &str) -> ReadKeys {
    KEYS.with_borrow_mut(|(of, keys)| {
        if of != text {
            *keys = KeySet::read(text.as_bytes()).ok().map(Rc::new);
            text.clone_into(of);
        }
        keys.clone()
    })
}

impl From<User> for wit::User {
    fn from(user: User) -> Self {
        Self {
            role: match user.role {
                Role::Customer => wit::Role::Customer,
                Role::Host => wit::Role::Host,
                Role::Operator => wit::Role::Operator,
            },
            subject: user.subject,
        }
    }
}

impl From<Refusal> for wit::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(reason) => Self::Invalid(reason.to_string()),
            Refusal::WithoutRole => Self::WithoutRole,
            Refusal::Settings => Self::Unavailable(types::Unavailable {
                message: refusal.to_string(),
                effect: types::Effect::None,
                retry_after: None,
            }),
        }
    }
}
