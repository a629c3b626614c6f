//! Does the screen agree with the platform, and are its committed files those that its sources give?

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ::events::Event;
use harness::{find_or_install, read, root, under_target};

use super::files::files_below;

const SCREEN: &str = "components/frontend/screen";

#[test]
fn the_screen_knows_every_event_of_the_catalogue() {
    let script = source("src/live/events.ts");
    let (_, list) = script
        .split_once("EVENT_TYPES = [")
        .expect("a list of events");
    let (list, _) = list.split_once(']').expect("the end of the list");
    let listed: BTreeSet<_> = list.split('\'').skip(1).step_by(2).collect();
    let catalogue: BTreeSet<_> = Event::TYPES.iter().copied().collect();
    assert_eq!(listed, catalogue, "{SCREEN}");
}

#[test]
fn every_problem_and_every_reason_of_a_rejection_has_words_on_the_screen() {
    let words = source("src/words/problems.ts");
    let errors = read("docs/src/errors.md");
    let (tables, rest) = errors
        .split_once("A rejected reservation carries its `reason`:")
        .expect("a sentence about reasons");
    let problems = tables.lines().filter_map(|line| {
        let name = line.strip_prefix("| `")?.split('`').next()?;
        Some(format!("'problem.{name}':"))
    });
    let (reasons, _) = rest.split_once("\n\n").expect("the end of the paragraph");
    let reasons = reasons.split('`').skip(1).step_by(2);
    let reasons = reasons.map(|name| format!("'reason.{name}':"));
    let keys: BTreeSet<String> = problems.chain(reasons).collect();
    assert!(keys.len() > 40, "{keys:?}");
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(*key)).collect();
    assert!(
        missing.is_empty(),
        "problems.ts has no text for {missing:?}"
    );
}

#[test]
fn the_screen_writes_data_as_text_only() {
    let mut files = files_below(&root().join(SCREEN).join("src"));
    // The generated types of the API contain its documentation.
    files.retain(|path| !path.ends_with("schema.d.ts"));
    assert!(files.len() > 40, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).expect("a source is UTF-8");
        for forbidden in ["nnerHTML", "outerHTML", "document.write", "eval(", "://"] {
            let found = text.contains(forbidden);
            assert!(!found, "{}: {forbidden}", path.display());
        }
    }
}

/// The build needs Node.js and a registry of packages, which a Rust-only machine has not: it then skips this test.
#[test]
fn the_files_of_the_screen_are_built_from_its_sources() {
    match build() {
        Ok(built) => compare(&built),
        Err(reason) => eprintln!("skipped: the screen cannot be built here: {reason}"),
    }
}

/// Builds a copy of the sources in a folder under `target/`, so that the source tree stays unchanged.
fn build() -> Result<PathBuf, String> {
    find_or_install("node", "nodejs")?;
    let npm = find_or_install("npm", "npm")?;
    let folder = under_target("screen");
    let copy = folder.join("components/frontend/screen");
    copy_sources(&copy);
    let document = folder.join("components/frontend/assets/documents");
    fs::create_dir_all(&document).expect("a writable target folder");
    let openapi = "components/frontend/assets/documents/openapi.json";
    fs::copy(root().join(openapi), folder.join(openapi)).expect("the document of the API");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&npm);
        command.current_dir(&copy).args(arguments);
        command.output().expect("npm starts")
    };
    let installed = run(&["ci", "--no-audit", "--no-fund"]);
    let output = text_of(&installed);
    if is_registry_unreachable(&output) {
        return Err(output);
    }
    assert!(installed.status.success(), "npm ci:\n{output}");
    for script in ["check", "build"] {
        let finished = run(&["run", script]);
        let output = text_of(&finished);
        assert!(finished.status.success(), "npm run {script}:\n{output}");
    }
    Ok(folder.join("components/frontend"))
}

fn compare(built: &Path) {
    let committed = root().join("components/frontend");
    let finished = Command::new("node")
        .arg(committed.join("screen/build/compare.mjs"))
        .args([&committed, built])
        .output()
        .expect("node starts");
    assert!(
        finished.status.success(),
        "these committed files are not those of the sources; run `npm run build` in {SCREEN}:\n{}",
        text_of(&finished)
    );
}

/// Copies every source, and removes copies whose source is gone.
fn copy_sources(copy: &Path) {
    let sources = root().join(SCREEN);
    let _ = fs::remove_dir_all(copy.join("src"));
    for path in files_below(&sources) {
        let target = copy.join(path.strip_prefix(&sources).expect("below the folder"));
        let folder = target.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("a writable target folder");
        fs::copy(&path, &target).expect("a readable source");
    }
}

fn is_registry_unreachable(output: &str) -> bool {
    let codes = [
        "ENOTFOUND",
        "ETIMEDOUT",
        "ECONNREFUSED",
        "ECONNRESET",
        "EAI_AGAIN",
    ];
    codes.iter().any(|code| output.contains(code))
}

fn source(name: &str) -> String {
    read(Path::new(SCREEN).join(name))
}

fn text_of(output: &Output) -> String {
    let bytes = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&bytes).into_owned()
}
