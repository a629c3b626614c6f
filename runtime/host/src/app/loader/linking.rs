//! Linking: defines the functions that a component imports from other components, after a check of their form and types.

use std::sync::Arc;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component as Code, Linker, Type};

use super::wiring::{Provider, ProviderComponent, WiredImport};
use crate::capability::InstanceState;
use crate::function::{FunctionName, form};
use crate::imports::ImportedInterface;
use config::ConfigError;
use config::manifest::{Component, InterfaceName};

/// An interface that waits for the link to the component that satisfies it.
pub struct UnconnectedImport {
    /// The interface.
    pub imported: Arc<ImportedInterface>,
    /// The component.
    pub provider: ProviderComponent,
}

/// A component whose imports are linked.
pub struct Importer<'a> {
    /// The component in the manifest.
    pub component: &'a Component,
    /// Its code.
    pub code: &'a Code,
}

impl Importer<'_> {
    /// Links the imports. `codes` returns the code of a component that satisfies one, with its id; nothing if this host does
    /// not link it.
    ///
    /// # Errors
    /// When nothing satisfies an import, or when a function has another type or not the form of a guarded function.
    pub fn link<'c>(
        &self,
        linker: &mut Linker<InstanceState>,
        imports: &[WiredImport],
        codes: impl Fn(ProviderComponent) -> Option<(&'c str, &'c Code)>,
    ) -> anyhow::Result<Vec<UnconnectedImport>> {
        let mut unconnected = Vec::new();
        for WiredImport { import, provider } in imports {
            let engine = linker.engine().clone();
            let imported = functions(&engine, self.code, Side::Imports, import);
            // An interface may be imported for its types alone.
            if imported.is_empty() {
                continue;
            }
            let Provider { export, component } = provider.clone()?;
            let exporter = codes(component);
            let exported = exporter.map(|(id, code)| {
                let exported = functions(&engine, code, Side::Exports, &export);
                (id, exported)
            });
            let mut names = Vec::new();
            for (name, function) in imported {
                if let Err(problem) = form::check(&function) {
                    return Err(self.not_guarded(import, &name, problem).into());
                }
                if let Some((id, exported)) = &exported {
                    let same = exported.iter().find(|(exported, _)| *exported == name);
                    if !same.is_some_and(|(_, exported)| is_same(&function, exported)) {
                        return Err(self.not_the_same(import, &name, id, &export).into());
                    }
                }
                names.push(FunctionName {
                    interface: export.to_string(),
                    function: name,
                });
            }
            let interface = ImportedInterface::new(self.component.id.as_str().into());
            interface.define(linker, &import.to_string(), names)?;
            unconnected.push(UnconnectedImport {
                imported: interface,
                provider: component,
            });
        }
        Ok(unconnected)
    }

    fn not_guarded(&self, import: &InterfaceName, name: &str, problem: &str) -> ConfigError {
        self.component.unsatisfied(
            import,
            format!("whose function `{name}` {problem}"),
            "give the function the form that docs/src/functions.md describes, or compose the component when building it",
        )
    }

    fn not_the_same(
        &self,
        import: &InterfaceName,
        name: &str,
        exporter: &str,
        export: &InterfaceName,
    ) -> ConfigError {
        self.component.unsatisfied(
            import,
            format!("and `{name}` of {export}, which component `{exporter}` exports, has other types or is absent"),
            "build both from the same version of the interface",
        )
    }
}

enum Side {
    Imports,
    Exports,
}

/// The functions of an interface that a component imports or exports.
fn functions(
    engine: &Engine,
    code: &Code,
    side: Side,
    interface: &InterfaceName,
) -> Vec<(String, ComponentFunc)> {
    let kind = code.component_type();
    let name = interface.to_string();
    let item = match side {
        Side::Imports => kind.get_import(engine, &name),
        Side::Exports => kind.get_export(engine, &name),
    };
    let Some(ComponentItem::ComponentInstance(instance)) = item.map(|item| item.ty) else {
        return Vec::new();
    };
    let exports = instance.exports(engine);
    exports
        .filter_map(|(name, item)| match item.ty {
            ComponentItem::ComponentFunc(function) => Some((name.to_owned(), function)),
            _ => None,
        })
        .collect()
}

fn is_same(one: &ComponentFunc, other: &ComponentFunc) -> bool {
    let parameters = |function: &ComponentFunc| -> Vec<(String, Type)> {
        let parameters = function.params();
        parameters.map(|(name, ty)| (name.to_owned(), ty)).collect()
    };
    one.async_() == other.async_()
        && parameters(one) == parameters(other)
        && one.results().eq(other.results())
}
