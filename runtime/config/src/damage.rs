//! Damaged copies of a text, for tests with random inputs: what an editor, a script or a template makes of a file.
//!
//! The tests with random inputs are those whose names begin with `any_`; `PROPTEST_CASES` is their number of cases.

use proptest::prelude::*;

/// One edit of a text.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    RemoveLine(usize),
    RepeatLine(usize),
    MoveLine(usize, usize),
    /// Inserts a token at a position.
    Insert(usize, String),
    /// Removes bytes from a position on.
    Remove(usize, usize),
}

/// What is inserted, besides any text.
const TOKENS: [&str; 28] = [
    "=",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "\"",
    "'",
    "#",
    ",",
    ".",
    "\n",
    "\\",
    "{{ ",
    " }}",
    "{{ relay_secret }}",
    "-1",
    "1e309",
    "99999999999999999999",
    "true",
    "../",
    "/",
    "*",
    "\u{0}",
    "\u{feff}",
    "한",
    "tool.socar",
    "\n[component.x]\nsource = \"x\"\n",
];

/// Some edits.
pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let token = prop_oneof![
        4 => prop::sample::select(&TOKENS[..]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    let edit = prop_oneof![
        any::<usize>().prop_map(Edit::RemoveLine),
        any::<usize>().prop_map(Edit::RepeatLine),
        any::<(usize, usize)>().prop_map(|(from, to)| Edit::MoveLine(from, to)),
        (any::<usize>(), token).prop_map(|(at, token)| Edit::Insert(at, token)),
        (any::<usize>(), 1..12_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
    ];
    prop::collection::vec(edit, 0..5)
}

/// The text after these edits.
pub(crate) fn damaged(text: &str, edits: &[Edit]) -> String {
    let mut text = text.to_owned();
    for edit in edits {
        let mut lines: Vec<&str> = text.lines().collect();
        let count = lines.len().max(1);
        match edit {
            Edit::RemoveLine(_) | Edit::RepeatLine(_) | Edit::MoveLine(..) if lines.is_empty() => {}
            Edit::RemoveLine(line) => drop(lines.remove(line % count)),
            Edit::RepeatLine(line) => lines.insert(line % count, lines[line % count]),
            Edit::MoveLine(from, to) => {
                let line = lines.remove(from % count);
                lines.insert(to % count, line);
            }
            Edit::Insert(..) | Edit::Remove(..) => {}
        }
        let mut changed = lines.join("\n");
        match edit {
            Edit::Insert(at, token) => changed.insert_str(boundary(&changed, *at), token),
            Edit::Remove(at, length) => {
                let start = boundary(&changed, *at);
                let end = boundary(&changed[start..], *length) + start;
                changed.replace_range(start..end, "");
            }
            _ => {}
        }
        text = changed;
    }
    text
}

/// The start of a character at or before a position, which may lie behind the end.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
