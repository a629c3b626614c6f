//! Is an event that a component could not handle kept as a dead letter, shown to operators, and redriven exactly
//! once? Both interfaces are tested: the admin port and `socar dead-letters`.

use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use harness::{Mode, RedisServer, eventually, socar};
use http::Method;
use serde_json::{Value, json};

use crate::delivery::{publish, received};
use crate::saboteur::Saboteur;

harness::journeys!(
    a_dead_letter_is_redriven_exactly_once,
    a_discarded_dead_letter_is_never_delivered,
    a_redriven_event_that_fails_becomes_a_dead_letter_again,
    a_command_whose_output_is_not_read_does_all_that_it_was_asked,
    a_letter_that_does_not_exist_keeps_no_other_from_being_redriven,
    the_letters_of_a_stopped_host_are_where_its_log_is,
);

fn a_dead_letter_is_redriven_exactly_once(mode: Mode) {
    let fixture = Fixture::start(mode);
    let [first, second] = fixture.wait_for_dead_letters(["one", "two"]);
    assert_eq!(received(&fixture.saboteur), 0);

    for (letter, event) in [(&first, "one"), (&second, "two")] {
        assert_eq!(letter["event"], event);
        assert_eq!(
            (&letter["group"], &letter["stream"]),
            (&json!("saboteur"), &json!("socar.saboteur"))
        );
        assert_eq!(letter["attempts"], ATTEMPTS);
        assert!(
            letter["error"]
                .as_str()
                .is_some_and(|error| !error.is_empty()),
            "{letter}"
        );
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970");
        let age = now
            .as_secs()
            .checked_sub(letter["parked_at"].as_u64().expect("a time") / 1000);
        assert!(age.is_some_and(|seconds| seconds < 300), "{letter}");
        // Both interfaces return the same.
        let id = id(letter);
        assert_eq!(
            &fixture
                .saboteur
                .admin()
                .json(&format!("/dead-letters/{id}")),
            letter
        );
        assert_eq!(&fixture.cli_json(&["show", id])[0], letter);
    }
    let both = [first.clone(), second.clone()];
    assert_eq!(fixture.cli_json(&["list"]), both);

    fixture.saboteur.admin().clear_faults();
    let redrive = format!("/dead-letters/{}/redrive", id(&first));
    fixture
        .saboteur
        .admin()
        .request(Method::POST, &redrive)
        .send()
        .is(200);
    fixture
        .saboteur
        .admin()
        .request(Method::POST, &redrive)
        .send()
        .problem(404, "not-found");
    let redrive = ["redrive", id(&second)];
    assert!(fixture.cli(&redrive).status.success());
    let again = fixture.cli(&redrive);
    let stderr = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        !again.status.success() && stderr.contains("no dead letter"),
        "{stderr}"
    );

    eventually(|| received(&fixture.saboteur), |count| *count == 2);
    assert_eq!(fixture.letters(), [] as [Value; 0]);
    fixture.assert_received_exactly(2);
}

fn a_discarded_dead_letter_is_never_delivered(mode: Mode) {
    let fixture = Fixture::start(mode);
    let [first, second] = fixture.wait_for_dead_letters(["one", "two"]);
    fixture.saboteur.admin().clear_faults();
    let path = format!("/dead-letters/{}", id(&first));
    fixture
        .saboteur
        .admin()
        .request(Method::DELETE, &path)
        .send()
        .is(200);
    fixture
        .saboteur
        .admin()
        .request(Method::DELETE, &path)
        .send()
        .problem(404, "not-found");
    fixture
        .saboteur
        .admin()
        .request(Method::GET, &path)
        .send()
        .problem(404, "not-found");
    assert!(fixture.cli(&["discard", id(&second)]).status.success());
    assert!(!fixture.cli(&["discard", id(&second)]).status.success());
    assert!(!fixture.cli(&["redrive", id(&second)]).status.success());
    assert_eq!(fixture.cli_json(&["list"]), [] as [Value; 0]);
    fixture.assert_received_exactly(0);
}

fn a_redriven_event_that_fails_becomes_a_dead_letter_again(mode: Mode) {
    let fixture = Fixture::start(mode);
    let [first] = fixture.wait_for_dead_letters(["one"]);
    // The fault has not ended yet.
    assert!(fixture.cli(&["redrive", "--all"]).status.success());
    let again = eventually(
        || fixture.letters(),
        |letters| letters.len() == 1 && letters[0] != first,
    );
    assert_eq!(
        (&again[0]["event"], &again[0]["attempts"]),
        (&first["event"], &first["attempts"])
    );
    fixture.saboteur.admin().clear_faults();
    assert!(fixture.cli(&["redrive", "--all"]).status.success());
    eventually(|| received(&fixture.saboteur), |count| *count == 1);
    fixture.assert_received_exactly(1);
}

fn a_command_whose_output_is_not_read_does_all_that_it_was_asked(mode: Mode) {
    let fixture = Fixture::start(mode);
    let letters = fixture.wait_for_dead_letters(["one", "two", "three"]);
    fixture.saboteur.admin().clear_faults();
    let run = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = fixture.command(arguments);
        let status = command.stdout(writer).status().expect("socar starts");
        assert_eq!(status.code(), Some(0), "{arguments:?}");
    };
    run(&["list"]);
    run(&["show", id(&letters[0])]);
    run(&["redrive", "--all"]);
    assert_eq!(fixture.letters(), [] as [Value; 0]);
    let missing = fixture.cli(&["redrive", id(&letters[0]), id(&letters[1])]);
    let stderr = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(
        stderr.contains(id(&letters[0])) && stderr.contains(id(&letters[1])),
        "{stderr}"
    );
    eventually(|| received(&fixture.saboteur), |count| *count == 3);
}

fn a_letter_that_does_not_exist_keeps_no_other_from_being_redriven(mode: Mode) {
    let fixture = Fixture::start(mode);
    let letters = fixture.wait_for_dead_letters(["one", "two"]);
    assert!(fixture.cli(&["discard", id(&letters[0])]).status.success());
    fixture.saboteur.admin().clear_faults();
    let redriven = fixture.cli(&["redrive", id(&letters[0]), id(&letters[1])]);
    assert_eq!(redriven.status.code(), Some(1));
    let stdout = String::from_utf8_lossy(&redriven.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&redriven.stderr).into_owned();
    assert_eq!(stdout.trim_end(), id(&letters[1]));
    assert!(
        stderr.contains(id(&letters[0])) && !stderr.contains(id(&letters[1])),
        "{stderr}"
    );
    fixture.assert_received_exactly(1);
}

fn the_letters_of_a_stopped_host_are_where_its_log_is(mode: Mode) {
    let fixture = Fixture::start(mode);
    let [letter] = fixture.wait_for_dead_letters(["one"]);
    let by_directory = || {
        let mut command = fixture.command_by_directory(&["list"]);
        command.output().expect("socar starts")
    };
    let listed = |output: &Output| -> Option<Value> { serde_json::from_slice(&output.stdout).ok() };
    // The running host knows where its log is.
    assert_eq!(listed(&by_directory()), Some(letter.clone()));
    fixture.saboteur.terminate();
    let output = by_directory();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match &fixture.redis {
        None => assert_eq!(listed(&output), Some(letter.clone()), "{stderr}"),
        Some(redis) => {
            let address = redis.url().replace("redis://", "");
            assert_eq!(output.status.code(), Some(1), "{stderr}");
            assert!(
                stderr.contains(&address) && stderr.contains("--redis-url"),
                "{stderr}"
            );
        }
    }
    assert_eq!(fixture.cli_json(&["list"]), std::slice::from_ref(&letter));
    assert!(fixture.cli(&["discard", id(&letter)]).status.success());
    let none = fixture.cli(&["list"]);
    assert_eq!(none.status.code(), Some(0));
    assert!(none.stdout.is_empty());
    assert_eq!(
        String::from_utf8_lossy(&none.stderr).trim_end(),
        "there are no dead letters"
    );
}

/// Attempts before an event becomes a dead letter; ten would take half a minute.
const ATTEMPTS: u32 = 3;

/// A host on which every delivery fails until the fault is cleared.
struct Fixture {
    saboteur: Saboteur,
    redis: Option<RedisServer>,
}

impl Fixture {
    fn start(mode: Mode) -> Self {
        let redis = (mode == Mode::Redis).then(RedisServer::start);
        let url = redis.as_ref().map(RedisServer::url);
        let mut arguments = vec!["--chaos"];
        if let Some(url) = &url {
            arguments.extend(["--redis-url", url]);
        }
        let policy = format!("delivery_attempts = {ATTEMPTS}");
        let saboteur = Saboteur::start_with(&policy, &arguments);
        let fault = json!({"from": "events", "to": "saboteur", "fault": "error", "seconds": 3600});
        saboteur.admin().inject_fault(&fault);
        Self { saboteur, redis }
    }

    /// Publishes these events and returns their dead letters, in the same order.
    fn wait_for_dead_letters<const COUNT: usize>(&self, events: [&str; COUNT]) -> [Value; COUNT] {
        let mut known = self.letters().len();
        events.map(|event| {
            publish(&self.saboteur, event);
            known += 1;
            let letters = eventually(|| self.letters(), |letters| letters.len() == known);
            letters.last().cloned().expect("a letter")
        })
    }

    fn letters(&self) -> Vec<Value> {
        let page = self.saboteur.admin().json("/dead-letters");
        page["letters"].as_array().cloned().expect("a list")
    }

    /// Publishes one more event: every earlier delivery comes before it.
    fn assert_received_exactly(&self, count: u32) {
        publish(&self.saboteur, "last");
        eventually(|| received(&self.saboteur), |item| *item > count);
        assert_eq!(received(&self.saboteur), count + 1);
    }

    /// The output of `socar dead-letters`.
    #[track_caller]
    fn cli_json(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.cli(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
        let lines = String::from_utf8_lossy(&output.stdout).into_owned();
        let letter = |line| serde_json::from_str(line).expect("one JSON object a line");
        lines.lines().map(letter).collect()
    }

    fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("socar starts")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_by_directory(arguments);
        if let Some(redis) = &self.redis {
            command.args(["--redis-url", &redis.url()]);
        }
        command
    }

    /// A command that knows nothing but the state directory.
    fn command_by_directory(&self, arguments: &[&str]) -> Command {
        let mut command = socar();
        command.env_remove("SOCAR_REDIS_URL");
        command.arg("dead-letters").args(arguments);
        command.arg("--state-dir").arg(self.saboteur.state_dir());
        command
    }
}

fn id(letter: &Value) -> &str {
    letter["id"].as_str().expect("an id")
}
