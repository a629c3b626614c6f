//! The variables of the application.

use spin_sdk::variables::Error;

/// The value of an application variable; empty if it is undefined.
pub async fn variable(name: &str) -> String {
    spin_sdk::variables::get(name).await.unwrap_or_default()
}

/// The value of an application variable; `None` if the component does not declare it.
///
/// # Errors
///
/// When the variable cannot be read at the moment. The text names the variable, and holds no value.
pub(super) async fn declared(name: &str) -> Result<Option<String>, String> {
    match spin_sdk::variables::get(name).await {
        Ok(value) => Ok(Some(value)),
        Err(Error::Undefined(_)) => Ok(None),
        Err(_) => Err(format!("the variable {name} cannot be read")),
    }
}

/// Whether the host has circuit breakers on the links between components. `socar` sets the variable
/// `link_breakers`; without it the components use their own breakers.
pub async fn host_has_breakers() -> bool {
    variable("link_breakers").await == "host"
}
