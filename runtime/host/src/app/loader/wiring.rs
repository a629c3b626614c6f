//! Wiring: which component satisfies each import of another, by the names in the built files.
//!
//! A component of the application that exports the interface goes first, then the adapter that `dependencies` names.
//! Whether the functions fit is checked when the components are compiled ([`super::linking`]).

use std::path::Path;

use anyhow::Context as _;
use wasmparser::{Parser, Payload};

use config::ConfigError;
use config::manifest::{App, Component, Dependency, InterfaceName};

/// The imports of all components that other components satisfy.
pub struct Wiring<'a> {
    /// The imports of each component, in the order of the components.
    pub imports: Vec<Vec<WiredImport>>,
    /// The adapters that the components need.
    pub adapters: Vec<Adapter<'a>>,
}

/// An adapter for one component.
pub struct Adapter<'a> {
    /// The index of the component that depends on it.
    pub caller: usize,
    /// The entry of the manifest.
    pub dependency: &'a Dependency,
}

/// An import of one component.
pub struct WiredImport {
    /// The interface as it is imported.
    pub import: InterfaceName,
    /// The component that satisfies it.
    pub provider: Result<Provider, ConfigError>,
}

/// The component that satisfies an import.
#[derive(Clone)]
pub struct Provider {
    /// The interface as it is exported.
    pub export: InterfaceName,
    /// The component that exports it.
    pub component: ProviderComponent,
}

/// Where the component that satisfies an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderComponent {
    /// A component of the application, by its index.
    Application(usize),
    /// An adapter, by its index.
    Adapter(usize),
    /// An adapter that this host does not link: the functions are unavailable.
    Unlinked,
}

/// The names that a built component imports and exports.
#[derive(Default)]
struct Interfaces {
    imports: Vec<InterfaceName>,
    exports: Vec<InterfaceName>,
}

// === impl Wiring ===

impl<'a> Wiring<'a> {
    /// Finds out what satisfies each import.
    ///
    /// # Errors
    /// When a built file cannot be read, or a dependency stands for an interface of the host.
    pub fn of(app: &'a App) -> anyhow::Result<Self> {
        let components = app.components.iter();
        let interfaces = components.map(|component| Interfaces::read(&component.source));
        let interfaces: Vec<Interfaces> = interfaces.collect::<anyhow::Result<_>>()?;
        let mut wiring = Self {
            imports: Vec::new(),
            adapters: Vec::new(),
        };
        for (caller, found) in interfaces.iter().enumerate() {
            let mut wired = Vec::new();
            for import in &found.imports {
                if import.is_of_host() {
                    check_host_import(&app.components[caller], import)?;
                    continue;
                }
                let provider = wiring.provider(app, &interfaces, caller, import)?;
                wired.push(WiredImport {
                    import: import.clone(),
                    provider,
                });
            }
            wiring.imports.push(wired);
        }
        Ok(wiring)
    }

    fn provider(
        &mut self,
        app: &'a App,
        interfaces: &[Interfaces],
        caller: usize,
        import: &InterfaceName,
    ) -> anyhow::Result<Result<Provider, ConfigError>> {
        let component = &app.components[caller];
        let exporters = || {
            let exports = interfaces.iter().enumerate();
            exports.flat_map(|(index, it)| it.exports.iter().map(move |export| (index, export)))
        };
        let id = |index: usize| app.components[index].id.as_str();
        let named = component.exporter_of(import);
        let fits = |(index, export): &(usize, &InterfaceName)| {
            import.is_satisfied_by(export) && named.is_none_or(|named| named.value == id(*index))
        };
        let found: Vec<_> = exporters().filter(fits).collect();
        if let [(index, export)] = found[..] {
            return Ok(Ok(Provider {
                export: export.clone(),
                component: ProviderComponent::Application(index),
            }));
        }
        if let [(first, _), (second, _), ..] = found[..] {
            let problem = format!(
                "which components `{}` and `{}` export",
                id(first),
                id(second)
            );
            let remedy = format!(
                "name one in [component.{}.tool.socar.imports]",
                component.id
            );
            return Ok(Err(component.unsatisfied(import, problem, remedy)));
        }
        if let Some(named) = named {
            return Ok(Err(named.error(
                format!("this component does not export {import}"),
                "name a component that exports it, or remove the key",
            )));
        }
        if let Some(adapter) = self.adapter(component, caller, import)? {
            return Ok(adapter);
        }
        let same = exporters().find(|(_, export)| import.is_same_interface(export));
        Ok(Err(match same {
            Some((index, export)) => component.unsatisfied(
                import,
                format!("and component `{}` exports {export}, which does not satisfy it", id(index)),
                format!("build both with compatible versions, such as an export of {import}"),
            ),
            None => component.unsatisfied(
                import,
                "which no component of the application exports",
                format!(
                    "add a component that exports it, or name an adapter in [component.{}.dependencies]",
                    component.id
                ),
            ),
        }))
    }

    fn adapter(
        &mut self,
        component: &'a Component,
        caller: usize,
        import: &InterfaceName,
    ) -> anyhow::Result<Option<Result<Provider, ConfigError>>> {
        let mut dependencies = component.dependencies.iter();
        let Some(dependency) = dependencies.find(|it| it.is_for(import)) else {
            return Ok(None);
        };
        let needed = dependency.export_for(import);
        if !dependency.adapter.policy.linked {
            return Ok(Some(Ok(Provider {
                export: needed.clone(),
                component: ProviderComponent::Unlinked,
            })));
        }
        let exports = Interfaces::read(&dependency.adapter.source)?.exports;
        let Some(export) = exports.into_iter().find(|it| needed.is_satisfied_by(it)) else {
            let problem = format!(
                "and its dependency, component `{}`, does not export {needed}",
                dependency.adapter.id
            );
            let remedy = "name a component that exports it";
            return Ok(Some(Err(component.unsatisfied(import, problem, remedy))));
        };
        let mut known = self.adapters.iter();
        let index = known.position(|it| std::ptr::eq(it.dependency, dependency));
        let index = index.unwrap_or_else(|| {
            self.adapters.push(Adapter { caller, dependency });
            self.adapters.len() - 1
        });
        Ok(Some(Ok(Provider {
            export,
            component: ProviderComponent::Adapter(index),
        })))
    }
}

fn check_host_import(component: &Component, import: &InterfaceName) -> Result<(), ConfigError> {
    match component.dependencies.iter().any(|it| it.is_for(import)) {
        true => Err(component.unsatisfied(
            import,
            "which socar serves itself, so that no dependency can",
            "remove the dependency, or compose the component when building it",
        )),
        false => Ok(()),
    }
}

// === impl Interfaces ===

impl Interfaces {
    /// Reads the names from a file. A file that is no component has none: compiling it gives the error.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self::parse(&bytes).unwrap_or_default())
    }

    fn parse(bytes: &[u8]) -> wasmparser::Result<Self> {
        let mut found = Self::default();
        // Components and modules nest; only the names of the outermost component count.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        found
                            .imports
                            .extend(InterfaceName::parse(import?.name.name));
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        found
                            .exports
                            .extend(InterfaceName::parse(export?.name.name));
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}
