//! Does every built component have exactly the imports and exports of its world?
//!
//! A car component that can open a database works as well as before, but it can do more than its world declares. So
//! the imports and exports of every built component are compared with its world in `wit/worlds.wit`. Each function
//! is compared with its signature in `wit/deps`, from which the host's bindings are generated.

use std::collections::BTreeSet;

use harness::{ensure_built, read, root};
use wit_component::{DecodedWasm, decode};
use wit_parser::{
    Function, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldId, WorldItem, WorldKey,
};

use super::application::{components, list, manifest, tables, wasm_of};

#[test]
fn every_component_imports_and_exports_exactly_its_world() {
    let (resolve, worlds) = declared();
    for component in components() {
        let world = worlds(component);
        let (built, root) = decoded(component);
        for side in [Side::Imports, Side::Exports] {
            let declared = names(&resolve, world, side);
            let found = names(&built, root, side);
            let surplus: Vec<_> = found.difference(&declared).collect();
            let missing = declared.difference(&found);
            // An interface with types only is declared for other interfaces; it is absent from a component that
            // uses none of its types.
            let missing: Vec<_> = missing
                .filter(|name| has_functions(&resolve, name))
                .collect();
            assert!(
                surplus.is_empty() && missing.is_empty(),
                "{component}: the {side:?} of the built component differ from `world {component}` in wit/worlds.wit: \
                 not declared {surplus:?}, not used {missing:?}"
            );
        }
    }
}

#[test]
fn every_function_has_the_signature_that_the_host_binds() {
    let (resolve, _) = declared();
    for component in components() {
        let (built, root) = decoded(component);
        for (name, interface) in interfaces(&built, root) {
            let ours = find(&resolve, &name)
                .unwrap_or_else(|| panic!("{component}: wit/deps has no {name}"));
            for (function_name, function) in &built.interfaces[interface].functions {
                let declared = resolve.interfaces[ours].functions.get(function_name);
                let declared = declared
                    .unwrap_or_else(|| panic!("{component}: {name} has no {function_name}"));
                let (declared, found) =
                    (signature(&resolve, declared), signature(&built, function));
                assert_eq!(found, declared, "{component}: {name} {function_name}");
            }
        }
    }
}

#[test]
fn only_a_component_with_the_grant_can_reach_the_event_log() {
    for (component, table) in tables(&manifest()) {
        // A component that handles messages imports the interface for the type of its errors, even if it calls no
        // function.
        let (built, root) = decoded(component);
        let mut interfaces = interfaces(&built, root).into_iter();
        let redis = interfaces.find(|(name, _)| name == "spin:redis/redis@3.0.0");
        let can_publish =
            redis.is_some_and(|(_, interface)| !built.interfaces[interface].functions.is_empty());
        let hosts = list(table, "allowed_outbound_hosts");
        let is_granted = hosts.contains("{{ redis_address }}");
        assert_eq!(can_publish, is_granted, "{component}");
    }
}

#[test]
fn a_world_that_grants_too_much_is_detected() {
    let (resolve, worlds) = declared();
    let frontend = names(&resolve, worlds("frontend"), Side::Imports);
    let viewpage = names(&resolve, worlds("viewpage"), Side::Imports);
    assert!(viewpage.contains("spin:sqlite/sqlite@3.1.0"));
    assert!(!frontend.contains("spin:sqlite/sqlite@3.1.0"));
    assert_ne!(frontend, viewpage);
}

#[test]
fn the_page_about_fermyon_names_what_each_component_lacks_there() {
    const ABSENT: [(&str, &str); 3] = [
        ("wasi:keyvalue/atomics@", "compare-and-swap"),
        ("spin:sqlite/", "SQLite"),
        ("spin:redis/inbound-redis@", "events"),
    ];
    let page = read("docs/src/fermyon.md");
    for component in tables(&manifest()).keys() {
        let (built, root) = decoded(component);
        let mut names = names(&built, root, Side::Imports);
        names.extend(self::names(&built, root, Side::Exports));
        let lacks = ABSENT.iter().filter(|(interface, _)| {
            let mut names = names.iter();
            names.any(|name| name.starts_with(interface))
        });
        let lacks: Vec<&str> = lacks.map(|(_, lack)| *lack).collect();
        let row = match lacks.as_slice() {
            [] => format!("| `{component}` | yes | Nothing"),
            lacks => format!("| `{component}` | no | {} |", lacks.join(", ")),
        };
        assert!(page.contains(&row), "docs/src/fermyon.md lacks: {row}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Imports,
    Exports,
}

/// The declared worlds.
fn declared() -> (Resolve, impl Fn(&str) -> WorldId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_path(root().join("wit"))
        .expect("wit/ is well-formed");
    let worlds = resolve.packages[package].worlds.clone();
    let find = move |name: &str| {
        *worlds
            .get(name)
            .unwrap_or_else(|| panic!("wit/worlds.wit has no `world {name}`"))
    };
    (resolve, find)
}

/// The world of the built component.
fn decoded(component: &str) -> (Resolve, WorldId) {
    ensure_built();
    let path = root().join(wasm_of(component));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match decode(&bytes) {
        Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
        Ok(DecodedWasm::WitPackage(..)) => panic!("{} holds no code", path.display()),
        Err(error) => panic!("{}: {error:#}", path.display()),
    }
}

fn names(resolve: &Resolve, world: WorldId, side: Side) -> BTreeSet<String> {
    let world = &resolve.worlds[world];
    let items = match side {
        Side::Imports => &world.imports,
        Side::Exports => &world.exports,
    };
    items
        .keys()
        .map(|key| resolve.name_world_key(key))
        .collect()
}

fn interfaces(resolve: &Resolve, world: WorldId) -> Vec<(String, InterfaceId)> {
    let world = &resolve.worlds[world];
    let items = world.imports.iter().chain(&world.exports);
    items
        .filter_map(|(key, item): (&WorldKey, &WorldItem)| match item {
            WorldItem::Interface { id, .. } => Some((resolve.name_world_key(key), *id)),
            _ => None,
        })
        .collect()
}

fn has_functions(resolve: &Resolve, name: &str) -> bool {
    find(resolve, name).is_none_or(|id| !resolve.interfaces[id].functions.is_empty())
}

fn find(resolve: &Resolve, name: &str) -> Option<InterfaceId> {
    let mut interfaces = resolve.interfaces.iter();
    interfaces
        .find(|(id, _)| resolve.id_of(*id).as_deref() == Some(name))
        .map(|(id, _)| id)
}

/// The type of a function in words, with every type name resolved.
fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters: Vec<String> = function
        .params
        .iter()
        .map(|parameter| format!("{}: {}", parameter.name, shape(resolve, &parameter.ty)))
        .collect();
    let result = function
        .result
        .as_ref()
        .map(|result| shape(resolve, result))
        .unwrap_or_default();
    format!(
        "{:?} ({}) -> {result}",
        function.kind.is_async(),
        parameters.join(", ")
    )
}

fn shape(resolve: &Resolve, kind: &Type) -> String {
    match kind {
        Type::Id(id) => shape_of(resolve, *id),
        primitive => format!("{primitive:?}"),
    }
}

fn shape_of(resolve: &Resolve, id: TypeId) -> String {
    let definition = &resolve.types[id];
    let optional = |kind: &Option<Type>| {
        kind.as_ref()
            .map_or("_".to_owned(), |kind| shape(resolve, kind))
    };
    let named = |name: &str, kind: &Option<Type>| format!("{name}({})", optional(kind));
    match &definition.kind {
        TypeDefKind::Type(kind) => shape(resolve, kind),
        TypeDefKind::Resource => {
            format!("resource {}", definition.name.clone().unwrap_or_default())
        }
        TypeDefKind::Handle(handle) => match handle {
            wit_parser::Handle::Own(id) => format!("own {}", shape_of(resolve, *id)),
            wit_parser::Handle::Borrow(id) => format!("borrow {}", shape_of(resolve, *id)),
        },
        TypeDefKind::Record(record) => {
            let fields = record
                .fields
                .iter()
                .map(|field| format!("{}: {}", field.name, shape(resolve, &field.ty)));
            format!("record {{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Variant(variant) => {
            let cases = variant.cases.iter().map(|case| named(&case.name, &case.ty));
            format!("variant {{{}}}", cases.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Enum(choice) => {
            let cases = choice.cases.iter().map(|case| case.name.clone());
            format!("enum {{{}}}", cases.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Flags(flags) => {
            let names = flags.flags.iter().map(|flag| flag.name.clone());
            format!("flags {{{}}}", names.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Tuple(tuple) => {
            let kinds = tuple.types.iter().map(|kind| shape(resolve, kind));
            format!("tuple<{}>", kinds.collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(kind) => format!("option<{}>", shape(resolve, kind)),
        TypeDefKind::List(kind) => format!("list<{}>", shape(resolve, kind)),
        TypeDefKind::Result(result) => format!(
            "result<{}, {}>",
            optional(&result.ok),
            optional(&result.err)
        ),
        TypeDefKind::Stream(kind) => format!("stream<{}>", optional(kind)),
        TypeDefKind::Future(kind) => format!("future<{}>", optional(kind)),
        other => format!("{other:?}"),
    }
}
