//! Does the screen work in a real browser? `tests/browser/screen.mjs` acts as customer, company and operator, and reports
//! each step.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use harness::{
    CLIENT_ID, Mode, Platform, Setup, TokenIssuer, ensure_program, event_streams, local_token,
    root, under_target,
};
use serde_json::{Value, json};

harness::journeys!(
    customers_company_and_operators_work_on_the_screen,
    the_screen_recovers_from_a_killed_host_and_misses_no_event,
);

fn customers_company_and_operators_work_on_the_screen(mode: Mode) {
    // A platform of its own: an operator cuts links.
    run(&mut browser(&Setup::new(mode).start()));
}

fn the_screen_recovers_from_a_killed_host_and_misses_no_event(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    let mut script = browser(&platform);
    script.arg("restart").stdin(Stdio::piped());
    let mut script = script
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("the script did not start: {error}"));
    let mut input = script.stdin.take().expect("a piped input");
    let output = script.stdout.take().expect("a piped output");
    let mut streamed: Option<Vec<Value>> = None;
    for line in BufReader::new(output).lines() {
        let line = line.expect("text");
        match line.split_once(' ') {
            Some(("HOST", "kill")) => platform.kill(),
            Some(("HOST", "start")) => platform = platform.restart_at_its_address(),
            Some(("STREAMED", events)) => {
                streamed = Some(serde_json::from_str(events).expect("JSON"));
                continue;
            }
            _ => {
                println!("{line}");
                continue;
            }
        }
        writeln!(input, "done").expect("the script still runs");
    }
    let status = script.wait().expect("the script ends");
    assert!(status.success(), "{status}");
    let streamed = streamed.expect("the events that the page got");
    let mut count = 0;
    for stream in event_streams(Some("viewpage")) {
        let log = platform.events(&stream);
        let of_log = streamed.iter().filter(|event| log.contains(event));
        assert_eq!(of_log.collect::<Vec<_>>(), log.iter().collect::<Vec<_>>());
        count += log.len();
    }
    assert_eq!(streamed.len(), count, "events that are not in the log");
    assert!(count >= 7, "{count} events");
}

#[test]
fn a_user_signs_in_with_an_access_token() {
    let setup = Setup::new(Mode::Embedded);
    let platform = setup.argument("--identity").argument("local").start();
    let token = local_token(platform.state_dir(), "host", "company");
    run(browser(&platform).env("ACCESS_TOKEN", token));
}

#[test]
fn a_user_signs_in_at_an_openid_provider() {
    let issuer = TokenIssuer::start();
    let platform = Setup::new(Mode::Embedded)
        .argument("--identity")
        .argument(&issuer.url())
        .argument("--audience")
        .argument("socar")
        .argument("--client-id")
        .argument(CLIENT_ID)
        .start();
    let company = platform.with_token(&issuer.token("host", "company"));
    let car = "발급자 시험";
    company.register(&json!({"carName": car}));
    // The page renews the token when half of its lifetime has passed.
    issuer.sign_in("customer", "alice", 20);
    run(browser(&platform)
        .env("ISSUER", issuer.url())
        .env("CAR_NAME", car));
    let requests = issuer.token_requests();
    assert_eq!(requests[0], "authorization_code granted");
    assert_eq!(requests[1], "refresh_token granted", "{requests:?}");
    assert_eq!(issuer.sign_outs(), 1);
}

/// The script as a command, with the address of the platform.
fn browser(platform: &Platform) -> Command {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    let node = ensure_program("node", "nodejs");
    let chromium = ensure_program("chromium", "chromium");
    let script = SCRIPT.get_or_init(installed);
    let mut browser = Command::new(node);
    browser
        .arg(script)
        .arg(platform.url())
        .env("CHROMIUM", chromium);
    browser
}

/// The script with its packages in a folder under `target/`, so that the source tree stays unchanged.
fn installed() -> PathBuf {
    let (source, copy) = (root().join("tests/browser"), under_target("browser"));
    for folder in ["journeys", "support"] {
        fs::create_dir_all(copy.join(folder)).expect("a writable target folder");
        let modules = fs::read_dir(source.join(folder)).expect("a folder of modules");
        for module in modules {
            let name = module.expect("a readable folder").file_name();
            copy_file(
                &source.join(folder).join(&name),
                &copy.join(folder).join(&name),
            );
        }
    }
    for name in ["screen.mjs", "package.json", "package-lock.json", ".npmrc"] {
        copy_file(&source.join(name), &copy.join(name));
    }
    let lock = fs::read(copy.join("package-lock.json")).expect("just copied");
    let stamp = copy.join("installed");
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        install(&copy);
        fs::write(&stamp, lock).expect("a writable target folder");
    }
    copy.join("screen.mjs")
}

fn copy_file(source: &Path, copy: &Path) {
    fs::copy(source, copy).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
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
    let output = String::from_utf8_lossy(&output);
    assert!(finished.status.success(), "{command:?}:\n{output}");
    print!("{output}");
}
