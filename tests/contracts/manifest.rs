//! Does `spin.toml` agree with the tree? Reactions and triggers, commands, routes, stores and outbound hosts.

use std::collections::BTreeMap;

use events::Event;
use harness::read;
use toml::{Table, Value};

use super::application::{
    Names, channels, components, event_types, events_in, file_names, list, manifest, names,
    reactions, source, stream_of, tables, text, triggers, wasm_of,
};

#[test]
fn every_reaction_is_dispatched() {
    for component in components().iter().filter(|id| *id != "viewpage") {
        let file = format!("components/{component}/src/reactions.rs");
        let dispatched = events_in(&source(&file));
        assert_eq!(
            reactions(component),
            dispatched,
            "the files and the arms of {file}"
        );
    }
}

#[test]
fn every_command_is_declared_and_called() {
    for component in components() {
        let declared = source(&format!("components/{component}/src/commands.rs"));
        let mut http = source(&format!("components/{component}/src/http.rs"));
        for file in file_names(component, "http") {
            http += &source(&format!("components/{component}/src/http/{file}.rs"));
        }
        for command in file_names(component, "commands") {
            let is_declared = declared.contains(&format!("mod {command};"));
            let is_called =
                http.contains(&format!("{command}(")) || http.contains(&format!("{command}::<"));
            assert!(
                is_declared && is_called,
                "the command `{command}` of `{component}`: declared {is_declared}, called by HTTP {is_called}"
            );
        }
    }
}

#[test]
fn the_projection_has_an_arm_for_every_event() {
    assert_eq!(reactions("viewpage"), names(Event::TYPES));
}

#[test]
fn every_reaction_has_a_trigger_and_every_trigger_a_reaction() {
    let triggers = channels(&manifest());
    for component in components() {
        let subscribed = triggers.get(component).cloned().unwrap_or_default();
        let needed = needed_streams(component);
        assert_eq!(subscribed, needed, "the Redis triggers of `{component}`");
    }
}

fn needed_streams(component: &str) -> Names {
    let reactions = reactions(component);
    reactions.iter().map(|event| stream_of(event)).collect()
}

#[test]
fn a_trigger_without_a_reaction_is_detected() {
    let changed: Table = "[[trigger.redis]]\nchannel = 'socar.payment'\ncomponent = 'message'"
        .parse()
        .expect("TOML");
    assert_ne!(channels(&changed)["message"], needed_streams("message"));
}

#[test]
fn a_component_receives_exactly_the_events_it_reacts_to() {
    let manifest = manifest();
    for (component, streams) in channels(&manifest) {
        let of_streams = Event::TYPES.iter().map(|event| (*event).to_owned());
        let of_streams = of_streams.filter(|event| streams.contains(&stream_of(event)));
        let received = event_types(&manifest, &component).unwrap_or_else(|| of_streams.collect());
        let expected = reactions(&component);
        assert_eq!(received, expected, "`event_types` of `{component}`");
    }
}

#[test]
fn every_path_is_answered_by_its_context() {
    let manifest = manifest();
    let routes: BTreeMap<_, _> = triggers(&manifest, "http")
        .filter_map(|trigger| Some((text(trigger, "route")?, text(trigger, "component")?)))
        .collect();
    // The public paths are a contract with clients, so they are written down here once more.
    let expected = [
        ("/...", "frontend"),
        ("/cars/...", "car"),
        ("/carviews/...", "viewpage"),
        ("/messages/...", "message"),
        ("/payments/...", "payment"),
        ("/reservations/...", "reservation"),
        ("/roomviews/...", "viewpage"),
    ];
    let expected = expected.map(|(route, component)| (route.to_owned(), component.to_owned()));
    assert_eq!(routes, BTreeMap::from(expected));
}

#[test]
fn every_component_is_built_by_the_same_command() {
    for (name, component) in tables(&manifest()) {
        assert_eq!(component["source"].as_str(), Some(wasm_of(name).as_str()));
        let command = format!("cargo build --release --target wasm32-wasip2 -p {name}");
        let built = component["build"]["command"].as_str();
        assert_eq!(built, Some(command.as_str()));
    }
}

#[test]
fn a_component_opens_only_its_own_stores() {
    for (name, component) in tables(&manifest()) {
        let stores = list(component, "key_value_stores");
        let own = names(&[name, &format!("{name}-outbox")]);
        assert!(stores.is_subset(&own), "the stores of `{name}`: {stores:?}");
        let databases = list(component, "sqlite_databases");
        let own = names(&[name]);
        assert!(
            databases.is_subset(&own),
            "the databases of `{name}`: {databases:?}"
        );
    }
}

/// A host that is listed literally is forbidden, too: stock Spin does not start a Redis trigger of such a component.
#[test]
fn a_component_calls_only_the_addresses_in_its_variables() {
    for (name, component) in tables(&manifest()) {
        let variables = component.get("variables").and_then(Value::as_table);
        let variables = variables.into_iter().flatten();
        let addresses: Names = variables
            .filter(|(name, _)| name.ends_with("_url") || name.ends_with("_address"))
            .filter_map(|(_, value)| value.as_str().map(str::to_owned))
            .collect();
        let allowed = list(component, "allowed_outbound_hosts");
        assert_eq!(allowed, addresses, "the outbound hosts of `{name}`");
    }
}

/// A context without one of them would be open on a platform with identity, or refuse every request.
#[test]
fn every_context_has_the_variables_and_the_verification_of_the_identity() {
    let manifest = manifest();
    let declared = names_of(&manifest["variables"], "identity_");
    assert_eq!(declared.len(), 5, "{declared:?}");
    for trigger in triggers(&manifest, "redis") {
        let name = text(trigger, "component").expect("a component");
        let context = &tables(&manifest)[&name];
        assert_eq!(
            names_of(&context["variables"], "identity_"),
            declared,
            "{name}"
        );
        let verification = &context["dependencies"]["socar:identity/tokens@1.0.0"];
        assert_eq!(verification["component"].as_str(), Some("token-verifier"));
        assert_eq!(
            list(verification, "inherit_configuration"),
            names(&["variables"])
        );
    }
}

/// The names in a table that start like this.
fn names_of(table: &Value, start: &str) -> Names {
    let table = table.as_table().expect("a table");
    let names = table.keys().filter(|name| name.starts_with(start));
    names.cloned().collect()
}

#[test]
fn stock_spin_finds_every_store_in_the_runtime_config() {
    let config: Table = read("runtime-config.toml")
        .parse()
        .expect("runtime-config.toml is TOML");
    let defined = |kind: &str| -> Names {
        let tables = config.get(kind).and_then(Value::as_table);
        let labels = tables.into_iter().flat_map(|tables| tables.keys());
        labels.cloned().collect()
    };
    for (name, component) in tables(&manifest()) {
        for (grant, kind) in [
            ("key_value_stores", "key_value_store"),
            ("sqlite_databases", "sqlite_database"),
        ] {
            let granted = list(component, grant);
            let defined = defined(kind);
            let missing: Vec<_> = granted.difference(&defined).collect();
            assert!(
                missing.is_empty(),
                "runtime-config.toml has no [{kind}.…] for {missing:?} of `{name}`"
            );
        }
    }
}

#[test]
fn the_polyglot_manifest_adds_one_context() {
    const ADDED: &str = "insight";
    let mut polyglot = parsed("spin.polyglot.toml");
    let components = polyglot["component"].as_table_mut().expect("components");
    assert!(components.remove(ADDED).is_some());
    let triggers = polyglot["trigger"].as_table_mut().expect("triggers");
    for (_, triggers) in triggers.iter_mut() {
        let triggers = triggers.as_array_mut().expect("a list of triggers");
        triggers.retain(|trigger| trigger["component"].as_str() != Some(ADDED));
    }
    assert_eq!(polyglot, parsed("spin.toml"));
}

#[test]
fn what_was_admitted_goes_before_new_requests() {
    let manifest = parsed("spin.toml");
    let policies = &manifest["application"]["tool"]["socar"];
    let priorities = policies["priorities"].as_array().expect("names");
    assert_eq!(priorities.last(), Some(&policies["sweep_priority"]));
}

fn parsed(file: &str) -> Table {
    read(file).parse().expect("a manifest")
}
