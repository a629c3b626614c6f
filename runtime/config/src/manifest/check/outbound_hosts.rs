//! The hosts that a component may connect to, compared with the addresses in its variables.
//!
//! A variable may hold any address, for example one that is only displayed. The address of a Redis or of another
//! component, however, is always there to be called. Without the permission every such call would fail, so the start
//! fails instead.

use crate::document::{ConfigError, Located};
use crate::manifest::hosts::{AllowedHosts, is_component};
use crate::manifest::names::ComponentId;
use crate::manifest::schema::ComponentTable;
use crate::manifest::variables::{RenderedTemplate, ResolvedVariables};

/// Resolves the `allowed_outbound_hosts` of a component.
///
/// # Errors
/// When an entry is invalid, or when a variable holds an address to call that no entry allows.
pub(super) fn resolve(
    component: &ComponentTable,
    variables: &ResolvedVariables,
    ids: &[ComponentId],
) -> Result<AllowedHosts, ConfigError> {
    let allowed = AllowedHosts::resolve(&component.allowed_outbound_hosts, variables, ids)?;
    for (_, written) in &component.variables {
        let rendered = variables.render(written)?;
        let address = rendered.text.trim();
        if is_called(address) && !rendered.unresolved && !allowed.allows_url(address, "") {
            return Err(not_allowed(written, &rendered));
        }
    }
    Ok(allowed)
}

/// Whether an address is always called, and never only displayed.
fn is_called(address: &str) -> bool {
    match address.split_once("://") {
        Some(("redis" | "rediss", host)) => !host.is_empty(),
        Some(("http" | "https", _)) => is_component(address),
        _ => false,
    }
}

fn not_allowed(written: &Located<String>, rendered: &RenderedTemplate) -> ConfigError {
    let missing = "the component may not connect there";
    let problem = match rendered.templated {
        true => format!("it resolves to {}, and {missing}", rendered.shown()),
        false => missing.to_owned(),
    };
    let remedy = format!("add {:?} to its allowed_outbound_hosts", written.value);
    written.error(problem, remedy)
}
