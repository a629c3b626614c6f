//! `spin:variables`: the values that the manifest gives this component, resolved once at the start.

use wasmtime::component::Accessor;

use super::bindings::spin::variables::variables::{Error, Host, HostWithStore};
use super::{Capabilities, View};

impl Host for View<'_> {}

impl<T: Send> HostWithStore<T> for Capabilities {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, Error>> {
        if !is_name(&name) {
            let reason = format!("`{name}` is not lower case words joined by single underscores");
            return Ok(Err(Error::InvalidName(reason)));
        }
        let value = accessor.with(|mut access| access.get().grants.variables.get(&name).cloned());
        Ok(value
            .ok_or_else(|| Error::Undefined(format!("no variable `{name}` for this component"))))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_lower_snake_case() {
        assert!(is_name("payment_limit") && is_name("a1"));
        for name in ["", "Limit", "1a", "_a", "a_", "a__b", "a-b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
