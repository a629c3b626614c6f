//! Does `spin.toml` agree with the tree? Reactions and triggers, routes, stores and outbound hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ::events::Event;
use harness::{read, root};
use toml::{Table, Value};

/// The event-storming board: the columns "context" and "reacts to" of the design.
const BOARD: [(&str, &[&str]); 4] = [
    (
        "car",
        &[
            "ReservationCancelled",
            "ReservationConfirmed",
            "ReservationRejected",
        ],
    ),
    (
        "message",
        &[
            "ReservationCancelled",
            "ReservationConfirmed",
            "ReservationRejected",
        ],
    ),
    ("payment", &["ReservationCancelRequested"]),
    ("reservation", &["PaymentApproved", "PaymentCancelled"]),
];

const COMPONENTS: [&str; 6] = [
    "car",
    "frontend",
    "message",
    "payment",
    "reservation",
    "viewpage",
];

type Names = BTreeSet<String>;

#[test]
fn the_reactions_in_the_tree_are_those_of_the_design() {
    for component in COMPONENTS {
        let expected = BOARD
            .iter()
            .find(|(name, _)| *name == component)
            .map_or(&[][..], |(_, events)| events);
        assert_eq!(
            reactions(component),
            names(expected),
            "components/{component}/src/reactions"
        );
    }
}

#[test]
fn the_projection_has_an_arm_for_every_event() {
    assert_eq!(projection_arms(), names(Event::TYPES));
}

#[test]
fn every_reaction_has_a_trigger_and_every_trigger_a_reaction() {
    let triggers = channels(&manifest());
    for component in COMPONENTS {
        let events = if component == "viewpage" {
            projection_arms()
        } else {
            reactions(component)
        };
        let needed: Names = events
            .iter()
            .map(|event| stream_of(event).to_owned())
            .collect();
        let listened = triggers.get(component).cloned().unwrap_or_default();
        assert_eq!(listened, needed, "the Redis triggers of `{component}`");
    }
}

#[test]
fn a_trigger_without_a_reaction_is_detected() {
    let changed: Table = "[[trigger.redis]]\nchannel = 'socar.payment'\ncomponent = 'message'"
        .parse()
        .expect("TOML");
    let needed: Names = reactions("message")
        .iter()
        .map(|event| stream_of(event).to_owned())
        .collect();
    assert_ne!(channels(&changed)["message"], needed);
}

#[test]
fn a_component_receives_the_events_it_reacts_to() {
    let manifest = manifest();
    for (component, _) in BOARD {
        let streams = &channels(&manifest)[component];
        let heard: Names = match event_types(&manifest, component) {
            Some(types) => types,
            None => Event::TYPES
                .iter()
                .filter(|event| streams.contains(stream_of(event)))
                .map(|event| (*event).to_owned())
                .collect(),
        };
        assert_eq!(heard, reactions(component), "event_types of `{component}`");
    }
}

#[test]
fn every_path_is_answered_by_its_context() {
    let manifest = manifest();
    let routes: BTreeMap<_, _> = triggers(&manifest, "http")
        .filter_map(|trigger| Some((text(trigger, "route")?, text(trigger, "component")?)))
        .collect();
    let expected = [
        ("/...", "frontend"),
        ("/cars/...", "car"),
        ("/carviews/...", "viewpage"),
        ("/messages/...", "message"),
        ("/payments/...", "payment"),
        ("/reservations/...", "reservation"),
        ("/roomviews/...", "viewpage"),
    ];
    assert_eq!(
        routes,
        expected
            .into_iter()
            .map(|(route, component)| (route.into(), component.into()))
            .collect()
    );
}

#[test]
fn every_component_is_built_by_the_same_command() {
    let manifest = manifest();
    assert_eq!(
        components(&manifest).keys().cloned().collect::<Names>(),
        names(&COMPONENTS)
    );
    for (name, component) in components(&manifest) {
        let source = format!("target/wasm32-wasip2/release/{name}.wasm");
        assert_eq!(component["source"].as_str(), Some(source.as_str()));
        let command = format!("cargo build --release --target wasm32-wasip2 -p {name}");
        assert_eq!(
            component["build"]["command"].as_str(),
            Some(command.as_str())
        );
    }
}

#[test]
fn a_component_opens_only_its_own_stores() {
    for (name, component) in components(&manifest()) {
        let stores = granted(component, "key_value_stores");
        let expected = match name.as_str() {
            "car" | "message" | "payment" | "reservation" => {
                names(&[name, &format!("{name}-outbox")])
            }
            _ => Names::new(),
        };
        // A context that publishes no event needs no outbox.
        let fits = stores.is_subset(&expected) && (expected.is_empty() || stores.contains(name));
        assert!(fits, "`{name}` may open {stores:?}, of {expected:?}");
        let tables = granted(component, "sqlite_databases");
        let expected = if name == "viewpage" {
            names(&["viewpage"])
        } else {
            Names::new()
        };
        assert_eq!(tables, expected, "the databases of `{name}`");
    }
}

#[test]
fn a_component_calls_only_the_hosts_it_needs() {
    for (name, component) in components(&manifest()) {
        let mut expected = match name.as_str() {
            "reservation" => names(&["{{ car_url }}", "{{ payment_url }}"]),
            "payment" => names(&["{{ payment_gateway_url }}"]),
            // For a rebuild of rows whose events have left the log.
            "viewpage" => names(&[
                "{{ car_url }}",
                "{{ reservation_url }}",
                "{{ payment_url }}",
            ]),
            _ => Names::new(),
        };
        if matches!(name.as_str(), "car" | "reservation" | "payment") {
            expected.insert("{{ redis_address }}".to_owned());
        }
        // Only templates: stock Spin does not start a Redis trigger of a component that lists another component's
        // host literally.
        assert_eq!(
            granted(component, "allowed_outbound_hosts"),
            expected,
            "the hosts of `{name}`"
        );
    }
}

#[test]
fn stock_spin_finds_every_store_in_the_runtime_config() {
    let config: Table = read("runtime-config.toml")
        .parse()
        .expect("runtime-config.toml is TOML");
    let defined = |kind: &str| -> Names {
        let tables = config.get(kind).and_then(Value::as_table);
        tables
            .map(|tables| tables.keys().cloned().collect())
            .unwrap_or_default()
    };
    for (name, component) in components(&manifest()) {
        for (grant, kind) in [
            ("key_value_stores", "key_value_store"),
            ("sqlite_databases", "sqlite_database"),
        ] {
            let missing: Vec<_> = granted(component, grant)
                .difference(&defined(kind))
                .cloned()
                .collect();
            assert!(
                missing.is_empty(),
                "runtime-config.toml has no [{kind}.…] for {missing:?} of `{name}`"
            );
        }
    }
}

// === what the tree declares ===

/// The events that a context reacts to: the names of the files in `reactions/`.
fn reactions(component: &str) -> Names {
    let folder = root()
        .join("components")
        .join(component)
        .join("src/reactions");
    let Ok(files) = fs::read_dir(folder) else {
        return Names::new();
    };
    files
        .map(|file| event_of(&file.expect("a readable folder").path()))
        .collect()
}

fn event_of(file: &Path) -> String {
    let stem = file
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    stem.split('_')
        .map(|word| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

/// The events that the projection matches on.
fn projection_arms() -> Names {
    let source = read("components/viewpage/src/projection.rs");
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    code.split("Event::")
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
        })
        .filter(|name| Event::TYPES.contains(&name.as_str()))
        .collect()
}

fn stream_of(event: &str) -> &'static str {
    match event {
        _ if event.starts_with("Car") => ::events::CAR_STREAM,
        _ if event.starts_with("Reservation") => ::events::RESERVATION_STREAM,
        _ if event.starts_with("Payment") => ::events::PAYMENT_STREAM,
        _ => panic!("{event} has no stream"),
    }
}

#[test]
fn a_file_is_named_after_its_event() {
    assert_eq!(
        event_of(Path::new("reservation_cancel_requested.rs")),
        "ReservationCancelRequested"
    );
}

// === what the manifest declares ===

fn manifest() -> Table {
    read("spin.toml").parse().expect("spin.toml is TOML")
}

fn components(manifest: &Table) -> &Table {
    manifest["component"]
        .as_table()
        .expect("[component.…] tables")
}

fn triggers<'a>(manifest: &'a Table, kind: &str) -> impl Iterator<Item = &'a Value> {
    manifest["trigger"]
        .get(kind)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The channels that each component subscribes to.
fn channels(manifest: &Table) -> BTreeMap<String, Names> {
    let mut channels: BTreeMap<String, Names> = BTreeMap::new();
    for trigger in triggers(manifest, "redis") {
        let component = text(trigger, "component").expect("a trigger names its component");
        let channel = text(trigger, "channel").expect("a trigger names its channel");
        channels.entry(component).or_default().insert(channel);
    }
    channels
}

/// The event types that the host delivers to a component; nothing if the manifest does not restrict them.
fn event_types(manifest: &Table, component: &str) -> Option<Names> {
    let policy = components(manifest)[component].get("tool")?.get("socar")?;
    policy.get("event_types")?;
    Some(granted(policy, "event_types"))
}

fn granted(component: &Value, key: &str) -> Names {
    let list = component.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn text(table: &Value, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

fn names(list: &[&str]) -> Names {
    list.iter().map(|name| (*name).to_owned()).collect()
}
