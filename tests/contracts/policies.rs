//! The policies that the host understands and those that the README explains are the same.

use std::collections::BTreeSet;
use std::fs;

use harness::{read, root};

/// How the host takes a key from a table, spaces aside: by one of these, and by nothing else.
const TAKES: [&str; 6] = [
    "table, \"",
    "table_ref, \"",
    ".take(\"",
    ".string(\"",
    ".boolean(\"",
    "[ (\"",
];

/// The two forms of a fallback are explained where the fallback is.
const FORMS: [&str; 2] = ["stale", "component"];

#[test]
fn every_policy_has_a_row_in_the_readme_and_every_row_is_a_policy() {
    let known = keys_of_the_host();
    // Were it fewer, the search would have gone blind.
    assert!(known.len() >= 45, "{known:?}");
    let explained = keys_in_the_readme();
    let missing: Vec<_> = known.difference(&explained).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    let invented: Vec<_> = explained.difference(&known).collect();
    assert!(invented.is_empty(), "unknown to the host: {invented:?}");
}

fn keys_of_the_host() -> BTreeSet<String> {
    let folder = root().join("runtime/host/src/policy");
    let files = fs::read_dir(folder).expect("the policies");
    let mut texts: Vec<String> = files
        .map(|file| file.expect("a file").path())
        // How values are written, whatever their key.
        .filter(|path| !path.ends_with("value.rs"))
        .map(|path| fs::read_to_string(path).expect("a text"))
        .collect();
    texts.push(read("runtime/host/src/policy.rs"));
    // Read elsewhere, since it is no policy of a component.
    texts.push("policy.string(\"retention\")".to_owned());
    assert!(read("runtime/host/src/manifest/check.rs").contains("policy.string(\"retention\")"));
    let mut keys: BTreeSet<String> = texts.iter().flat_map(|text| taken_in(text)).collect();
    keys.retain(|key| !FORMS.contains(&key.as_str()));
    keys
}

fn taken_in(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    // Long calls have a line for each argument.
    let words: Vec<&str> = code.split_whitespace().collect();
    let code = words.join(" ").replace("), (\"", "), [ (\"");
    let after = TAKES.iter().flat_map(|take| code.split(take).skip(1));
    after
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// What stands in the first column of a table.
fn keys_in_the_readme() -> BTreeSet<String> {
    let readme = read("README.md");
    let policies = readme.split("\n## Policies\n").nth(1).unwrap_or_default();
    let policies = policies.split("\n## ").next().unwrap_or_default();
    let rows = policies
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    rows.map(|(key, _)| key.to_owned()).collect()
}
