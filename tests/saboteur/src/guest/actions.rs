//! The function for other components: it performs the same actions.

use spin_sdk::http::Uri;

use super::perform_action;
use bindings::exports::saboteur::actions::actions::{Guest, Origin, Refusal};

mod bindings {
    #![allow(unsafe_code, missing_docs, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "saboteur", generate_all });
}

struct Actions;

impl Guest for Actions {
    async fn perform(origin: Origin, action: String) -> Result<String, Refusal> {
        if action == "origin" {
            return Ok(format!("{origin:?}"));
        }
        let uri: Result<Uri, _> = format!("/{action}").parse();
        let uri = uri.map_err(|error| Refusal::Refused(error.to_string()))?;
        perform_action(&uri).await.map_err(Refusal::Refused)
    }
}

bindings::export!(Actions with_types_in bindings);
