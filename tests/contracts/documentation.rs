//! README.md and `docs/` name only what exists: files, headings, tests, metrics, admin paths and flags.

mod pages;
mod tree;

use std::collections::BTreeSet;

use harness::{read, root};

use super::files::files_with;
use pages::{
    Page, broken, first_cells, first_spans, links, named_tests, pages, paths, prose, words,
};
use tree::{between, code, consumers, defines, flags, folders, is_event, one_line, publishers};

#[test]
fn every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading() {
    let pages = pages();
    assert!(pages.len() > 10, "README.md and docs/**/*.md");
    let broken: Vec<String> = pages
        .iter()
        .flat_map(|page| {
            let links = links(&page.text).into_iter();
            links.filter_map(|link| {
                Some(format!("{}: {}", page.path.display(), broken(page, &link)?))
            })
        })
        .collect();
    assert!(broken.is_empty(), "broken links: {broken:#?}");
}

#[test]
fn every_path_in_backticks_exists() {
    let named: BTreeSet<String> = pages().iter().flat_map(|page| paths(&page.text)).collect();
    assert!(named.len() > 20, "{named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|path| !root().join(path).exists())
        .collect();
    assert!(missing.is_empty(), "no such files: {missing:?}");
}

#[test]
fn the_code_map_names_every_folder() {
    let readme = read("README.md");
    let (_, map) = readme.split_once("\n## Code map\n").unwrap_or_default();
    let map = map.split("\n## ").next().unwrap_or_default();
    let named: BTreeSet<&str> = map.split_whitespace().collect();
    let parents = ["components", "runtime", "tests"];
    let missing: Vec<String> = parents
        .iter()
        .flat_map(|parent| folders(&root().join(parent)))
        .filter(|folder| !named.contains(format!("{folder}/").as_str()))
        .collect();
    assert!(missing.is_empty(), "not in the code map: {missing:?}");
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let contents = read("docs/src/SUMMARY.md");
    let listed: BTreeSet<String> = links(&contents).into_iter().collect();
    let written: BTreeSet<String> = files_with(&root().join("docs/src"), "md")
        .iter()
        .filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| name != "SUMMARY.md")
        .collect();
    assert_eq!(listed, written, "docs/src/SUMMARY.md and docs/src");
}

#[test]
fn every_promise_names_a_test_that_exists() {
    let promises = read("docs/src/promises.md");
    let rows = promises.lines().filter(|line| line.starts_with('|'));
    let named: BTreeSet<(String, String)> = rows.flat_map(named_tests).collect();
    assert!(named.len() > 15, "{named:?}");
    let tests = files_with(&root().join("tests"), "rs");
    let missing: Vec<_> = named
        .iter()
        .filter(|(module, test)| !tests.iter().any(|file| defines(file, module, test)))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:?}");
}

#[test]
fn the_readme_names_publisher_and_consumers_of_every_event() {
    let readme = read("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let cells: Vec<Vec<String>> = row.split('|').map(words).collect();
        match &cells[..] {
            [events, publisher, consumers, ..] if is_event(events.first()?) => {
                Some((events.clone(), publisher.clone(), consumers.clone()))
            }
            _ => None,
        }
    });
    let documented: BTreeSet<(String, Vec<String>, Vec<String>)> = rows
        .flat_map(|(events, publisher, consumers)| {
            let documented = |event| (event, publisher.clone(), consumers.clone());
            events.into_iter().map(documented).collect::<Vec<_>>()
        })
        .collect();
    let golden = files_with(&root().join("tests/contracts/golden"), "json");
    let real = golden.iter().filter_map(|file| {
        let event = file.file_stem()?.to_string_lossy().into_owned();
        Some((event.clone(), publishers(&event), consumers(&event)))
    });
    assert_eq!(
        documented,
        real.collect(),
        "the table of events in README.md"
    );
}

#[test]
fn every_metric_is_documented() {
    let runtime = files_with(&root().join("runtime"), "rs");
    let recorded: BTreeSet<String> = runtime
        .iter()
        .flat_map(|file| between(&code(file), "\"socar_", '"'))
        .filter(|name| !name.is_empty())
        .map(|name| format!("socar_{name}"))
        .collect();
    let documented = first_cells("docs/src/metrics.md", |cell| cell.starts_with("socar_"));
    assert_eq!(recorded, documented, "runtime/ and docs/src/metrics.md");
}

#[test]
fn every_path_of_the_admin_port_is_documented() {
    let admin = files_with(&root().join("runtime/host/src/admin"), "rs");
    let served: BTreeSet<String> = admin
        .iter()
        .flat_map(|file| {
            let code = code(file);
            let methods = ["get", "post", "put", "delete"];
            let routes = methods.map(|method| between(&code, &format!(".{method}(\"/"), '"'));
            routes.concat()
        })
        .map(|path| format!("/{path}"))
        .collect();
    let documented = first_cells("docs/src/admin.md", |cell| cell.starts_with('/'));
    assert_eq!(
        served, documented,
        "runtime/host/src/admin and docs/src/admin.md"
    );
}

#[test]
fn every_flag_is_documented() {
    let runtime = files_with(&root().join("runtime"), "rs");
    let mut declared: BTreeSet<String> = runtime.iter().flat_map(|file| flags(file)).collect();
    // An alias of `--from`.
    declared.insert("file".to_owned());
    let pages = read("docs/src/cli.md") + &read("docs/src/benchmark.md");
    let documented: BTreeSet<String> = prose(&pages)
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|span| span.starts_with('-') || span.starts_with("redrive"))
        .flat_map(|span| span.split(' ').filter_map(|word| word.strip_prefix("--")))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, documented, "runtime/ and the flags in docs/src");
}

#[test]
fn every_message_that_is_explained_is_in_the_code() {
    let errors = read("docs/src/errors.md");
    let (_, errors) = errors.split_once("\n## Start errors\n").unwrap_or_default();
    let logs = read("docs/src/logs.md");
    let (_, logs) = logs.split_once("\n## Messages\n").unwrap_or_default();
    let messages: Vec<&str> = [errors, logs].into_iter().flat_map(first_spans).collect();
    assert!(messages.len() > 70, "{messages:?}");
    let sources = files_with(&root().join("runtime"), "rs").into_iter();
    let sources: String = sources.map(|file| one_line(&code(&file))).collect();
    let missing: Vec<_> = messages
        .iter()
        .filter(|message| !sources.contains(**message))
        .collect();
    assert!(missing.is_empty(), "no such messages: {missing:?}");
}

/// A page must not be able to pass because nothing was looked at.
#[test]
fn a_broken_link_is_detected() {
    let page = Page {
        path: "docs/src/page.md".into(),
        text: "# A page\n[file](missing.md) [anchor](#no-such-heading) `[code](missing.md)`\n\
               ```\n[code](missing.md)\n```\n[well](#a-page) [policies](policies.md#keys-of-a-link)"
            .to_owned(),
    };
    let links = links(&page.text);
    assert_eq!(links.len(), 4, "{links:?}");
    let found: Vec<_> = links
        .iter()
        .filter_map(|link| broken(&page, link))
        .collect();
    assert_eq!(found, ["missing.md", "#no-such-heading"]);
}
