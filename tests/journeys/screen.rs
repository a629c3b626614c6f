//! Does the screen work in a real browser? `tests/browser/screen.mjs` acts as the customer and reports each step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use harness::{Mode, Platform, ensure_program, root, under_target};

harness::journeys!(a_customer_registers_reserves_and_cancels_on_the_screen);

fn a_customer_registers_reserves_and_cancels_on_the_screen(mode: Mode) {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    let node = ensure_program("node", "nodejs");
    let chromium = ensure_program("chromium", "chromium");
    let script = SCRIPT.get_or_init(installed);
    let platform = Platform::shared(mode);
    let mut browser = Command::new(node);
    browser
        .arg(script)
        .arg(platform.url())
        .env("CHROMIUM", chromium);
    run(&mut browser);
}

/// The script with its packages in a folder under `target/`, so that the source tree stays unchanged.
fn installed() -> PathBuf {
    let (source, copy) = (root().join("tests/browser"), under_target("browser"));
    for name in ["screen.mjs", "package.json", "package-lock.json", ".npmrc"] {
        fs::copy(source.join(name), copy.join(name))
            .unwrap_or_else(|error| panic!("tests/browser/{name}: {error}"));
    }
    let lock = fs::read(copy.join("package-lock.json")).expect("just copied");
    let stamp = copy.join("installed");
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        install(&copy);
        fs::write(&stamp, lock).expect("a writable target folder");
    }
    copy.join("screen.mjs")
}

fn install(folder: &Path) {
    let npm = ensure_program("npm", "npm");
    run(Command::new(npm)
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder));
}

fn run(command: &mut Command) {
    let finished = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} did not start: {error}"));
    let output = [finished.stdout, finished.stderr].concat();
    assert!(
        finished.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&output)
    );
}
