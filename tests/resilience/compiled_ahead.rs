//! Does a host start from code that was compiled ahead, without compiling and without a cache? Images are built that way.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{build_component, eventually, root, socar};
use tempfile::TempDir;

use crate::saboteur::Saboteur;

/// A directory with the compiled saboteur.
fn compiled() -> TempDir {
    build_component("saboteur");
    let directory = TempDir::with_prefix("compiled-").expect("a directory");
    let mut command = socar();
    command.args(["compile", "-f", "tests/saboteur/spin.toml", "--output"]);
    let output = command
        .arg(directory.path())
        .output()
        .expect("socar starts");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
    // Both components are of one file.
    assert!(
        text.starts_with("saboteur: ") && text.lines().count() == 1,
        "{text}"
    );
    directory
}

/// A host with this code and an empty cache.
fn start(compiled: &Path, cache: &Path) -> Saboteur {
    let [compiled, cache] = [compiled, cache].map(|path| path.to_string_lossy().into_owned());
    Saboteur::start(&["--compiled-dir", &compiled, "--cache-dir", &cache])
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[test]
fn what_is_compiled_ahead_needs_no_cache() {
    let compiled = compiled();
    let cache = root().join("target/tests/no-such-cache");
    let saboteur = start(compiled.path(), &cache);
    saboteur.call("/greet/me").is(200);
    assert!(!cache.exists(), "{:?}", files(&cache));
    assert!(!saboteur.log().contains("compiled"), "{}", saboteur.log());
}

#[test]
fn damaged_code_is_compiled_again() {
    let compiled = compiled();
    let entry = files(compiled.path()).pop().expect("an entry");
    let mut code = fs::read(&entry).expect("its content");
    let middle = code.len() / 2;
    code[middle] ^= 1;
    fs::write(&entry, code).expect("a damaged entry");
    let cache = TempDir::with_prefix("cache-").expect("a directory");
    let saboteur = start(compiled.path(), cache.path());
    saboteur.call("/greet/me").is(200);
    eventually(|| saboteur.log(), |log| log.contains("damaged"));
    assert_eq!(files(cache.path()).len(), 1);
}
