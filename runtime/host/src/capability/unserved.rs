//! Imports that the host does not serve: an import is not a use.
//!
//! An SDK may import every interface of its platform, whichever of them the program calls. Such a component is linked, and
//! a call of an unserved function returns the error of its interface. A function without an error ends the call.

use std::sync::Arc;

use tracing::warn;
use wasmtime::bail;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType, Type, Val};

use config::manifest::InterfaceName;

/// The packages of the interfaces that the host serves, in one version of each compatible range.
const SERVED: [&str; 18] = [
    "wasi:cli@0.2.0",
    "wasi:clocks@0.2.0",
    "wasi:filesystem@0.2.0",
    "wasi:http@0.2.0",
    "wasi:io@0.2.0",
    "wasi:random@0.2.0",
    "wasi:sockets@0.2.0",
    "wasi:cli@0.3.0",
    "wasi:clocks@0.3.0",
    "wasi:filesystem@0.3.0",
    "wasi:http@0.3.0",
    "wasi:random@0.3.0",
    "wasi:sockets@0.3.0",
    "wasi:keyvalue@0.2.0-draft2",
    "spin:key-value@3.0.0",
    "spin:redis@3.0.0",
    "spin:sqlite@3.0.0",
    "spin:variables@3.0.0",
];

/// The cases of an error that say best that the host does not serve a function, the best first. An error without any
/// of them gets its first case that needs no other value than a text.
const PREFERRED_CASES: [&str; 8] = [
    "other",
    "not-supported",
    "unsupported",
    "access-denied",
    "connection-failed",
    "internal-error",
    "runtime-error",
    "io",
];

/// A function that the host does not serve.
struct UnservedFunction {
    component: Arc<str>,
    /// The interface and the function.
    name: String,
}

/// Defines the functions and resources of every interface of the host's namespaces that it does not serve. Returns
/// whether there is one.
///
/// # Errors
/// When the linker has a function of such an interface already.
pub fn define<T: Send + 'static>(
    linker: &mut Linker<T>,
    code: &Component,
    component: &Arc<str>,
) -> wasmtime::Result<bool> {
    let engine = linker.engine().clone();
    let mut found = false;
    for (name, item) in code.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(interface) = item.ty else {
            continue;
        };
        let is_unserved = InterfaceName::parse(name)
            .is_some_and(|import| import.is_of_host() && !import.is_of_any(&SERVED));
        if !is_unserved {
            continue;
        }
        found = true;
        let mut instance = linker.instance(name)?;
        for (item, ty) in interface.exports(&engine) {
            let function = Arc::new(UnservedFunction {
                component: component.clone(),
                name: format!("{name}#{item}"),
            });
            match ty.ty {
                ComponentItem::ComponentFunc(ty) => function.define(&mut instance, item, &ty)?,
                ComponentItem::Resource(_) => {
                    let host = ResourceType::host::<()>();
                    instance.resource(item, host, |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

// === impl UnservedFunction ===

impl UnservedFunction {
    fn define<T: Send + 'static>(
        self: Arc<Self>,
        instance: &mut LinkerInstance<'_, T>,
        item: &str,
        ty: &ComponentFunc,
    ) -> wasmtime::Result<()> {
        match ty.async_() {
            true => instance.func_new_concurrent(item, move |_, ty, _, results| {
                let function = self.clone();
                Box::pin(async move { function.answer(&ty, results) })
            }),
            false => instance.func_new(item, move |_, ty, _, results| self.answer(&ty, results)),
        }
    }

    /// Sets the error of the function as its result.
    ///
    /// # Errors
    /// When the function has no error: the call of the guest ends.
    fn answer(&self, ty: &ComponentFunc, results: &mut [Val]) -> wasmtime::Result<()> {
        let Self { component, name } = self;
        let reason = format!("socar does not serve {name}");
        let mut types = ty.results();
        let error = match (types.next(), types.next()) {
            (Some(Type::Result(result)), None) => match result.err() {
                Some(error) => error_value(&error, &reason).map(|error| Some(Box::new(error))),
                None => Some(None),
            },
            _ => None,
        };
        match (error, results) {
            (Some(error), [result]) => {
                warn!(component = &**component, "{reason}: it returns an error");
                *result = Val::Result(Err(error));
                Ok(())
            }
            _ => bail!("{reason}, and the function has no error"),
        }
    }
}

/// A value of the type of an error. `None` when it needs more than a text.
fn error_value(ty: &Type, reason: &str) -> Option<Val> {
    match ty {
        Type::String => Some(Val::String(reason.to_owned())),
        Type::Option(option) => {
            let value = error_value(&option.ty(), reason);
            Some(Val::Option(value.map(Box::new)))
        }
        Type::Enum(kind) => {
            let names: Vec<&str> = kind.names().collect();
            let name = preferred(&names).or_else(|| names.first().copied())?;
            Some(Val::Enum(name.to_owned()))
        }
        Type::Variant(variant) => {
            let cases: Vec<(&str, Val)> = variant
                .cases()
                .filter_map(|case| {
                    let value = match case.ty {
                        Some(ty) => Some(Box::new(error_value(&ty, reason)?)),
                        None => None,
                    };
                    Some((case.name, Val::Variant(case.name.to_owned(), value)))
                })
                .collect();
            let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
            let name = preferred(&names).or_else(|| names.first().copied())?;
            let mut cases = cases.into_iter();
            cases
                .find(|(case, _)| *case == name)
                .map(|(_, value)| value)
        }
        _ => None,
    }
}

fn preferred<'a>(names: &[&'a str]) -> Option<&'a str> {
    let mut preferred = PREFERRED_CASES.iter();
    preferred.find_map(|case| names.iter().find(|name| *name == case).copied())
}

#[cfg(test)]
mod tests;
