//! `POST /stores/{label}/accept`: goes on with a key-value store that does not belong to the event log
//! ([`crate::store::history`]).

use serde_json::json;

use super::response::{self, AdminError, AdminResponse};
use super::routes::{AdminRequest, AdminRoutes};
use crate::generation::CurrentGeneration;

/// The route of the stores.
pub fn routes(current: CurrentGeneration) -> AdminRoutes<CurrentGeneration> {
    AdminRoutes::of(current).post("/stores/{label}/accept", accept)
}

async fn accept(current: CurrentGeneration, request: AdminRequest) -> AdminResponse {
    let label = request.parameter("label");
    let generation = current.get();
    let Some(store) = generation.stores.key_value.get(label) else {
        return Err(AdminError::not_found(format!(
            "the application has no key-value store `{label}`"
        )));
    };
    match store.accept().await {
        Ok(()) => response::json(&json!({ "store": label })),
        Err(error) => Err(AdminError::unavailable(format!(
            "the key-value store `{label}`: {error}"
        ))),
    }
}
