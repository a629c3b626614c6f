//! The policy keys that the host reads and those that `docs/src/policies.md` documents are the same.

use std::collections::BTreeSet;
use std::fs;

use harness::{read, root};

/// The page that documents the policy keys.
const REFERENCE: &str = "docs/src/policies.md";

/// The calls by which the host reads a key from a table, without white space.
const TAKES: [&str; 8] = [
    "table, \"",
    "table_ref, \"",
    ".take(\"",
    ".string(\"",
    ".strings(\"",
    ".boolean(\"",
    ".named(\"",
    "[ (\"",
];

/// The two forms of a fallback are documented with the fallback.
const FORMS: [&str; 2] = ["stale", "component"];

#[test]
fn every_policy_key_is_documented_and_every_documented_key_exists() {
    let known = keys_of_the_host();
    // With fewer keys, the search would miss most of the policies.
    assert!(known.len() >= 45, "{known:?}");
    let documented = documented_keys();
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(missing.is_empty(), "no row in {REFERENCE}: {missing:?}");
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "{REFERENCE} documents keys that the host does not read: {unknown:?}"
    );
}

fn keys_of_the_host() -> BTreeSet<String> {
    let folder = root().join("runtime/config/src/policy");
    let files = fs::read_dir(folder).expect("the policies");
    let mut texts: Vec<String> = files
        .map(|file| file.expect("a file").path())
        // Syntax of values, without any key.
        .filter(|path| !path.ends_with("value.rs"))
        .map(|path| fs::read_to_string(path).expect("a text"))
        .collect();
    texts.push(read("runtime/config/src/policy.rs"));
    let mut keys: BTreeSet<String> = texts.iter().flat_map(|text| taken_in(text)).collect();
    keys.retain(|key| !FORMS.contains(&key.as_str()));
    keys
}

fn taken_in(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    // A long call has one line per argument.
    let words: Vec<&str> = code.split_whitespace().collect();
    let code = words.join(" ").replace("), (\"", "), [ (\"");
    let after = TAKES.iter().flat_map(|take| code.split(take).skip(1));
    after
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// The keys in the first column of each table: a cell that begins with a word in backticks.
fn documented_keys() -> BTreeSet<String> {
    let reference = read(REFERENCE);
    let rows = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(cell, _)| cell.to_owned())
        .filter(|cell| {
            cell.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        })
        .collect()
}
