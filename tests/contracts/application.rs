//! What the application declares: the manifest `spin.toml`, and the files of its components.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use events::Event;
use harness::{read, root};
use toml::{Table, Value};

use super::files::files_with;

pub type Names = BTreeSet<String>;

/// The ids of all components.
pub fn components() -> &'static Names {
    static COMPONENTS: OnceLock<Names> = OnceLock::new();
    COMPONENTS.get_or_init(|| tables(&manifest()).keys().cloned().collect())
}

/// A set of names.
pub fn names(list: &[&str]) -> Names {
    list.iter().map(|name| (*name).to_owned()).collect()
}

// === the manifest ===

pub fn manifest() -> Table {
    read("spin.toml").parse().expect("spin.toml is TOML")
}

/// The table of each component.
pub fn tables(manifest: &Table) -> &Table {
    manifest["component"]
        .as_table()
        .expect("[component.…] tables")
}

/// The file that cargo builds for a component.
pub fn wasm_of(component: &str) -> String {
    let library = component.replace('-', "_");
    format!("target/wasm32-wasip2/release/{library}.wasm")
}

/// The triggers of a kind, such as `http`.
pub fn triggers<'a>(manifest: &'a Table, kind: &str) -> impl Iterator<Item = &'a Value> {
    let triggers = manifest["trigger"].get(kind).and_then(Value::as_array);
    triggers.into_iter().flatten()
}

/// The channels that each component subscribes to.
pub fn channels(manifest: &Table) -> BTreeMap<String, Names> {
    let mut channels: BTreeMap<String, Names> = BTreeMap::new();
    for trigger in triggers(manifest, "redis") {
        let component = text(trigger, "component").expect("a trigger names its component");
        let channel = text(trigger, "channel").expect("a trigger names its channel");
        channels.entry(component).or_default().insert(channel);
    }
    channels
}

/// The event types that the host delivers to a component; nothing if the manifest does not restrict them.
pub fn event_types(manifest: &Table, component: &str) -> Option<Names> {
    let policy = tables(manifest)[component].get("tool")?.get("socar")?;
    policy.get("event_types")?;
    Some(list(policy, "event_types"))
}

/// A list of texts in a component's table; empty if the key is missing.
pub fn list(component: &Value, key: &str) -> Names {
    let list = component.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// A text in a table.
pub fn text(table: &Value, key: &str) -> Option<String> {
    table.get(key)?.as_str().map(str::to_owned)
}

// === the files ===

/// The names of the files in a folder of a component, without their extension.
pub fn file_names(component: &str, folder: &str) -> Names {
    let folder = root().join(format!("components/{component}/src/{folder}"));
    let files = files_with(&folder, "rs").into_iter();
    let names = files.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()));
    names.filter(|name| name != "tests").collect()
}

/// The events that a component reacts to: the names of its files in `reactions/`. The view handles every event in its
/// projection.
pub fn reactions(component: &str) -> Names {
    match component {
        "viewpage" => events_in(&source("components/viewpage/src/projection.rs")),
        _ => file_names(component, "reactions")
            .iter()
            .map(|file| event_of(file))
            .collect(),
    }
}

/// The events that a source text names as `Event::…`.
pub fn events_in(source: &str) -> Names {
    let names = source.split("Event::").skip(1).map(|rest| {
        let name = rest.chars().take_while(char::is_ascii_alphanumeric);
        name.collect::<String>()
    });
    names
        .filter(|name| Event::TYPES.contains(&name.as_str()))
        .collect()
}

/// A source file without its unit tests; empty if the file does not exist.
pub fn source(path: &str) -> String {
    let text = fs::read_to_string(root().join(path)).unwrap_or_default();
    let code = text.split("#[cfg(test)]").next();
    code.unwrap_or_default().to_owned()
}

/// The event that a reaction file is named after.
fn event_of(file: &str) -> String {
    let words = file.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

/// The stream of an event, which its golden file names as its source.
pub fn stream_of(event: &str) -> String {
    let golden = read(Path::new("tests/contracts/golden").join(format!("{event}.json")));
    let golden: serde_json::Value = serde_json::from_str(&golden).expect("a golden file is JSON");
    let source = golden["source"].as_str().expect("an event has a source");
    source.replace('/', ".")
}

#[test]
fn a_file_is_named_after_its_event() {
    let event = event_of("reservation_cancel_requested");
    assert_eq!(event, "ReservationCancelRequested");
}
