//! Markdown: links, anchors and tables of a page.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use harness::{read, root};

use super::tree::between;
use crate::files::files_with;

/// A Markdown page and its path from the root of the repository.
pub struct Page {
    pub path: PathBuf,
    pub text: String,
}

pub fn pages() -> Vec<Page> {
    let mut paths = files_with(&root().join("docs"), "md");
    paths.push(root().join("README.md"));
    let pages = paths.into_iter().map(|path| {
        let text = read(&path);
        let path = path.strip_prefix(root()).unwrap_or(&path).to_owned();
        Page { path, text }
    });
    pages.collect()
}

/// The link, if its file or its heading does not exist. Links to other sites are not followed.
pub fn broken(page: &Page, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.path.clone(),
        file => page.path.parent().unwrap_or(Path::new("")).join(file),
    };
    let text = match file {
        "" => Some(page.text.clone()),
        _ => fs::read_to_string(root().join(&target)).ok(),
    };
    // A page of a test has no file, and a picture has no text.
    let exists = text.is_some() || root().join(&target).exists();
    let has_heading = || anchors(&text.unwrap_or_default()).contains(anchor);
    (!exists || !(anchor.is_empty() || has_heading())).then(|| link.to_owned())
}

/// The lines of a page outside of code blocks.
pub fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// The files and folders of the repository in backticks, without those that have a placeholder.
pub fn paths(text: &str) -> Vec<String> {
    const FOLDERS: [&str; 5] = ["components/", "runtime/", "tests/", "wit/", "docs/"];
    let spans = prose(text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let paths = spans.filter(|span| FOLDERS.iter().any(|folder| span.starts_with(folder)));
    paths
        .filter(|path| !path.contains(['<', '*', ' ']))
        .map(str::to_owned)
        .collect()
}

/// The targets of all links of a page.
pub fn links(text: &str) -> Vec<String> {
    let lines = prose(text).map(|line| {
        // Every second part is inline code, unless it is the text of a link.
        let parts = line.split('`').enumerate();
        let plain = parts.filter(|(index, _)| index % 2 == 0);
        plain.map(|(_, part)| part).collect::<Vec<_>>().join("`")
    });
    lines.flat_map(|line| between(&line, "](", ')')).collect()
}

/// The anchors that GitHub and mdBook give to the headings of a page.
pub fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading
                .chars()
                .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}

/// Everything in backticks in the first cell of each table row.
pub fn first_spans(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| row.split('|').next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// The words in backticks at the start of each table row.
pub fn first_cells(page: &str, is_wanted: fn(&str) -> bool) -> BTreeSet<String> {
    let text = read(page);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.filter_map(|row| {
        let row = row.strip_prefix('[').unwrap_or(row);
        Some(row.strip_prefix('`')?.split_once('`')?.0)
    });
    cells
        .filter(|cell| is_wanted(cell))
        .map(str::to_owned)
        .collect()
}

/// `module::test` of every such pair in backticks.
pub fn named_tests(row: &str) -> Vec<(String, String)> {
    let spans = row.split('`').skip(1).step_by(2);
    let pairs = spans.filter_map(|span| span.split_once("::"));
    let pairs = pairs.filter(|(_, test)| !test.is_empty());
    pairs
        .map(|(module, test)| (module.to_owned(), test.to_owned()))
        .collect()
}

/// The words of a cell, which are in backticks.
pub fn words(cell: &str) -> Vec<String> {
    let words = cell.split([' ', ',', '`']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}
