//! Does a component reach what its variables name?
//!
//! A variable may hold any address, also one that is only shown to people. But a Redis, and another component, are named
//! for one purpose: to be called. Without the permission every such call would be refused for ever, so we say so at the
//! start.

use super::hosts::{AllowedHosts, is_component};
use super::names::ComponentId;
use super::schema;
use super::variables::{RenderedTemplate, ResolvedVariables};
use crate::document::{ConfigError, Located};

/// The hosts that a component may connect to, among which are all that its variables are sure to be for.
pub(crate) fn allowed(
    component: &schema::ComponentTable,
    values: &ResolvedVariables,
    ids: &[ComponentId],
) -> Result<AllowedHosts, ConfigError> {
    let allowed = AllowedHosts::resolve(&component.allowed_outbound_hosts, values, ids)?;
    for (_, written) in &component.variables {
        let filled = values.fill(written)?;
        let address = filled.text.trim();
        if is_to_be_called(address) && !allowed.allows_url(address, "") {
            return Err(refusal(written, &filled));
        }
    }
    Ok(allowed)
}

fn is_to_be_called(address: &str) -> bool {
    match address.split_once("://") {
        Some(("redis" | "rediss", host)) => !host.is_empty(),
        Some(("http" | "https", _)) => is_component(address),
        _ => false,
    }
}

fn refusal(written: &Located<String>, filled: &RenderedTemplate) -> ConfigError {
    let missing = "the component may not connect there";
    let problem = match filled.templated {
        true => format!("it resolves to {}, and {missing}", filled.shown()),
        false => missing.to_owned(),
    };
    let remedy = format!("add {:?} to its allowed_outbound_hosts", written.value);
    written.error(problem, remedy)
}
