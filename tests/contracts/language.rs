//! Is the text of the repository plain technical English?
//!
//! Comments, documentation, and the messages of the product must not contain words that make a reader guess: personal
//! pronouns for programs, and vague words in place of the field's noun. The words are searched as whole words, in
//! comments of every source file, in the prose of every page, and in the strings of components and runtime. Strings of
//! tests are test data and are not searched.

mod fragments;

use harness::root;

use super::files::{files_below, relative};
use fragments::{Fragment, comments, prose, strings};

/// Each word with what to write in its place.
const WORDS: [(&str, &str); 14] = [
    ("he", "it, or the noun"),
    ("him", "it, or the noun"),
    ("his", "its, or the noun"),
    ("himself", "itself"),
    ("whoever", "the noun: a client, a caller, a host that"),
    ("whomever", "the noun"),
    ("whosoever", "the noun"),
    ("nobody", "no client, no caller, no host"),
    ("somebody", "a client, a caller, a host"),
    ("anybody", "any client, any caller, any host"),
    ("in vain", "without effect, without a result"),
    ("elsewhere", "external, remote, or the place"),
    ("abroad", "external, remote"),
    ("trouble", "fault, failure, outage"),
];

/// The files that are built from the sources of the screen.
const BUILT: &str = "components/frontend/assets/screen/";

#[test]
fn the_text_of_the_repository_contains_no_vague_words() {
    let files: Vec<String> = files_below(&root())
        .iter()
        .map(|path| relative(path))
        .collect();
    assert!(files.len() > 200, "{} files are too few", files.len());
    let found: Vec<String> = files.iter().flat_map(|file| findings(file)).collect();
    assert!(
        found.is_empty(),
        "{} vague words; name the thing instead:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// The findings of a file, as `file:line: word`.
fn findings(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    let fragments = searched(file, &text).into_iter();
    fragments
        .flat_map(|Fragment { line, text }| {
            let words = words_in(&text).into_iter();
            words.map(move |(word, instead)| (line, word, instead))
        })
        .map(|(line, word, instead)| format!("{file}:{line}: `{word}`: write {instead}"))
        .collect()
}

/// The parts of a file that are searched.
fn searched(file: &str, text: &str) -> Vec<Fragment> {
    // What a tool has built from sources that are searched themselves.
    if file.starts_with(BUILT) {
        return Vec::new();
    }
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut fragments = match extension {
        "rs" | "js" | "mjs" | "ts" | "tsx" | "wit" => comments(text, "//"),
        "toml" => comments(text, "#"),
        "lua" => comments(text, "--"),
        "md" => prose(text),
        _ if file == ".ci/run" || file.starts_with("deploy/pipeline/") => comments(text, "#"),
        _ => Vec::new(),
    };
    let is_product = file.starts_with("components/") || file.starts_with("runtime/");
    if extension == "rs" && is_product && !is_test(file) {
        let code = text.split("#[cfg(test)]\nmod tests {").next();
        fragments.extend(strings(code.unwrap_or_default()));
    }
    fragments
}

fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/")
}

fn words_in(text: &str) -> Vec<(&'static str, &'static str)> {
    let normalised: Vec<String> = text
        .split(|letter: char| !letter.is_alphanumeric() && letter != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let normalised = format!(" {} ", normalised.join(" "));
    let found = WORDS.iter();
    found
        .filter(|(word, _)| normalised.contains(&format!(" {word} ")))
        .copied()
        .collect()
}

#[test]
fn a_vague_word_is_found_in_comments_pages_and_messages() {
    let words = |file: &str, text: &str| -> Vec<(usize, &str)> {
        let fragments = searched(file, text).into_iter();
        let found = fragments.flat_map(|Fragment { line, text }| {
            let words = words_in(&text).into_iter();
            words.map(move |(word, _)| (line, word))
        });
        found.collect()
    };
    let source = "// It is his.\nlet a = \"// in vain\"; /* whoever\nNobody */\nlet b = r#\"he\"#;";
    let in_comments = [(1, "his"), (2, "whoever"), (3, "nobody")];
    assert_eq!(words("tests/a.rs", source), in_comments);
    let in_strings = [(2, "in vain"), (4, "he")];
    assert_eq!(
        words("runtime/a.rs", source),
        [&in_comments[..], &in_strings].concat()
    );
    assert_eq!(words("a.toml", "key = \"# he\" # him"), [(1, "him")]);
    assert_eq!(words("a.md", "Somebody\n```\nhe\n```"), [(1, "somebody")]);
    assert_eq!(words("a.rs", "// the cached header, then"), []);
}
