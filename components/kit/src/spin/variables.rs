//! The variables of the application.

/// The value of an application variable; empty if it is undefined.
pub async fn variable(name: &str) -> String {
    spin_sdk::variables::get(name).await.unwrap_or_default()
}

/// Whether the host has circuit breakers on the links between components. `socar` sets the variable
/// `link_breakers`; without it the components use their own breakers.
pub async fn host_has_breakers() -> bool {
    variable("link_breakers").await == "host"
}
