//! Edited copies of a text: what an editor, a script or a template makes of a file.

use bolero::{TypeGenerator, ValueGenerator, one_of, one_value_of, produce};

/// One edit of a text.
#[derive(Clone, Debug, TypeGenerator)]
pub enum Edit {
    RemoveLine(usize),
    RepeatLine(usize),
    MoveLine(usize, usize),
    /// Inserts a token at a position.
    Insert(usize, #[generator(token())] String),
    /// Removes bytes from a position on.
    Remove(usize, #[generator(1..12_usize)] usize),
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

/// Up to four edits.
pub fn edits() -> impl ValueGenerator<Output = Vec<Edit>> {
    produce::<Vec<Edit>>().with().len(0..5_usize)
}

fn token() -> impl ValueGenerator<Output = String> {
    let any = produce::<String>().with().len(0..8_usize);
    one_of((one_value_of(TOKENS).map_gen(str::to_owned), any))
}

/// The text after these edits.
pub fn edited(text: &str, edits: &[Edit]) -> String {
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
