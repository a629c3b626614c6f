//! Sources: tests, flags, events and their consumers as the tree declares them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use harness::{read, root};

use crate::application::{components, reactions};
use crate::files::files_with;

pub fn is_event(word: &str) -> bool {
    root()
        .join(format!("tests/contracts/golden/{word}.json"))
        .exists()
}

/// The components whose domain publishes an event.
pub fn publishers(event: &str) -> Vec<String> {
    let publishes = |component: &&String| {
        let domain = root().join(format!("components/{component}/src/domain"));
        let mut sources = files_with(&domain, "rs")
            .into_iter()
            .map(|file| code(&file));
        sources.any(|source| names(&source, &format!("Event::{event}")))
    };
    components().iter().filter(publishes).cloned().collect()
}

/// The components that react to an event; the view handles every event.
pub fn consumers(event: &str) -> Vec<String> {
    let reacts = |component: &&String| reactions(component).contains(event);
    components().iter().filter(reacts).cloned().collect()
}

/// The names of the folders in a folder.
pub fn folders(parent: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Whether a source names exactly this, and not only something that begins so.
fn names(source: &str, name: &str) -> bool {
    let mut rest = source.split(name).skip(1);
    rest.any(|rest| !rest.starts_with(|letter: char| letter.is_alphanumeric()))
}

pub fn defines(file: &Path, module: &str, test: &str) -> bool {
    let is_module = file.file_stem().is_some_and(|stem| stem == module);
    is_module && read(file).contains(&format!("fn {test}("))
}

/// The flags that the fields of this file declare for the command line.
pub fn flags(file: &Path) -> Vec<String> {
    let code = code(file);
    let declared = code.split("#[arg(").skip(1).filter_map(|rest| {
        let (attribute, field) = rest.split_once(")]")?;
        let mut settings = attribute.split(',').map(str::trim);
        let setting = settings.find(|setting| setting.starts_with("long"))?;
        let field = field.trim_start().trim_start_matches("pub ");
        Some(match setting.split_once('"') {
            Some((_, name)) => name.trim_end_matches('"').to_owned(),
            None => field.split(':').next()?.replace('_', "-"),
        })
    });
    declared.collect()
}

/// The text of a source file without its unit tests.
pub fn code(file: &Path) -> String {
    if file.file_stem().is_some_and(|stem| stem == "tests") {
        return String::new();
    }
    let text = read(file);
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    code.unwrap_or_default().to_owned()
}

/// A source with its string literals in one piece: without line continuations.
pub fn one_line(source: &str) -> String {
    let pieces: Vec<&str> = source.split("\\\n").map(str::trim_start).collect();
    pieces.concat()
}

/// What stands between each `begin` and the next `end`.
pub fn between(text: &str, begin: &str, end: char) -> Vec<String> {
    let rest = text.split(begin).skip(1);
    rest.filter_map(|rest| Some(rest.split_once(end)?.0.to_owned()))
        .collect()
}
