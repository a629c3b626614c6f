//! Does a new version take over without a failed request, and is a bad version refused? Checkpoint zero-downtime deploy.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use harness::{Client, Protocol, Stop, eventually, in_background, root};
use http::Method;
use serde_json::Value;

use crate::saboteur::{Saboteur, call_deadline, manifest_with};

const WASM: &str = "target/wasm32-wasip2/release/saboteur.wasm";

/// Clients send requests without a pause until the scenario ends. Every response must be good; returns their number.
fn under_load<T>(saboteur: &Saboteur, scenario: impl FnOnce() -> T) -> (usize, T) {
    let paths = [
        "/greet/me",
        "/sleep?ms=30",
        "/chain?url=http://neighbour.spin.internal/greet/me",
    ];
    let send_until_stopped = |index: usize, stop: &Stop| {
        let client = Client::new(saboteur.url(), Protocol::Http1);
        let mut count = 0;
        while !stop.is_set() {
            let path = paths[index % paths.len()];
            client.request(Method::GET, path).send().is(200);
            count += 1;
        }
        count
    };
    let (counts, result) = in_background(6, send_until_stopped, scenario);
    (counts.iter().sum(), result)
}

/// Writes the same code with other bytes, like a new build.
fn new_build(path: &Path, number: u8) {
    let mut code = fs::read(root().join(WASM)).expect("the saboteur");
    // A custom section: its length, the length of its name, the name, and the number of the build.
    code.extend([0, 7, 5, b'b', b'u', b'i', b'l', b'd', number]);
    fs::write(path, code).expect("a new build");
}

fn manifest_for(source: &Path, policy: &str) -> String {
    let built = root().join(WASM).to_string_lossy().into_owned();
    manifest_with(policy).replace(&built, &source.to_string_lossy())
}

fn generation(saboteur: &Saboteur) -> u64 {
    saboteur.admin().json("/instances")["generation"]
        .as_u64()
        .expect("a number")
}

#[test]
fn new_builds_take_over_without_a_failed_request() {
    let policy = call_deadline("30s");
    let saboteur = Saboteur::start_with(&policy, &[]);
    let (count, ()) = under_load(&saboteur, || {
        for number in 0..2 {
            let source = saboteur.state_dir().join(format!("build-{number}.wasm"));
            new_build(&source, number);
            let output = saboteur.deploy(&manifest_for(&source, &policy));
            let expected = format!("\"generation\":{}", number + 2);
            assert!(output.replace(' ', "").contains(&expected), "{output}");
        }
    });
    assert!(count > 20, "{count} requests are too few");
    assert_eq!(generation(&saboteur), 3);
}

#[test]
fn a_running_call_ends_in_the_old_version() {
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    thread::scope(|scope| {
        let path = "/chain?url=http://neighbour.spin.internal/sleep?ms=1500";
        let slow = scope.spawn(|| saboteur.call(path));
        eventually(|| saboteur.log(), |log| log.contains("sleeping 1500 ms"));
        saboteur.send_sighup();
        eventually(|| generation(&saboteur), |generation| *generation == 2);
        slow.join().expect("a response").is(200);
    });
}

#[test]
fn policies_and_variables_of_the_manifest_take_effect() {
    let saboteur = Saboteur::start_with("", &[]);
    assert_eq!(saboteur.call("/var?name=greeting").text(), "hello, world");
    let text = manifest_with("concurrency = 5").replace("deadline = \"2s\"", "deadline = \"1s\"");
    let text = text.replace("default = \"hello\"", "default = \"good evening\"");
    saboteur.deploy(&text);
    assert_eq!(
        saboteur.call("/var?name=greeting").text(),
        "good evening, world"
    );
    saboteur
        .call("/sleep?ms=1500")
        .problem(504, "deadline-exceeded");
    assert_eq!(
        saboteur.call("/file?path=/note.txt").is(200).text(),
        "a file the saboteur may read\n"
    );
}

fn link_policy(breaker: &str) -> String {
    format!("[application.tool.socar.links.saboteur]\nbreaker = {breaker}")
}

/// The state of every breaker, by link.
fn breakers(saboteur: &Saboteur) -> BTreeMap<String, String> {
    let all = saboteur.admin().json("/breakers");
    let all = all["breakers"].as_array().expect("a list").iter();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    all.map(|it| (word(&it["link"]), word(&it["state"])))
        .collect()
}

#[test]
fn a_breaker_keeps_its_state_until_its_policy_changes() {
    let sensitive = "{ consecutive_failures = 1, open_duration = \"1h\" }";
    let saboteur = Saboteur::start_with(&link_policy(sensitive), &[]);
    saboteur.call("/trap").problem(500, "component-trapped");
    saboteur.call("/greet/me").problem(503, "cut-off");
    saboteur.deploy(&manifest_with(&link_policy(sensitive)));
    saboteur.call("/greet/me").problem(503, "cut-off");

    let other = "{ consecutive_failures = 2, open_duration = \"1h\" }";
    saboteur.deploy(&manifest_with(&link_policy(other)));
    saboteur.call("/greet/me").is(200);
    for _ in 0..2 {
        saboteur.call("/trap").problem(500, "component-trapped");
    }
    saboteur.call("/greet/me").problem(503, "cut-off");
}

#[test]
fn a_forced_breaker_state_outlives_a_new_policy() {
    let link = "gateway -> saboteur";
    let external = Saboteur::shared().url().trim_end_matches('/');
    let variable = format!("outside_url={external}");
    let saboteur = Saboteur::start_with(&link_policy("true"), &["--variable", &variable]);
    // The first call creates this link.
    saboteur
        .call(&format!("/chain?url={external}/greet/you"))
        .is(200);
    let outbound = format!("saboteur -> {external}");
    let policies = [
        "{ consecutive_failures = 3 }\n[component.saboteur.tool.socar.links.outbound]\nbreaker = true",
        "{ consecutive_failures = 4 }\n[component.saboteur.tool.socar.links.outbound]\nbreaker = { consecutive_failures = 4 }",
        "{ consecutive_failures = 4 }\n[component.saboteur.tool.socar.links.outbound]\nbreaker = { consecutive_failures = 4 }",
    ];
    saboteur.admin().control_breaker("force-open", link);
    let mut expected = BTreeMap::from([(link.to_owned(), "forced-open".to_owned())]);
    for (round, policy) in policies.into_iter().enumerate() {
        saboteur.deploy(&manifest_with(&link_policy(policy)));
        if round == 0 {
            saboteur.admin().control_breaker("disable", &outbound);
            expected.insert(outbound.clone(), "disabled".to_owned());
        }
        assert_eq!(breakers(&saboteur), expected, "after reload {round}");
    }
    saboteur.call("/greet/me").problem(503, "cut-off");
    saboteur.admin().control_breaker("reset", link);
    saboteur.call("/greet/me").is(200);
}

#[test]
fn a_version_that_fails_to_start_changes_no_link() {
    let saboteur = Saboteur::start_with(&link_policy("true"), &[]);
    let link = "gateway -> saboteur";
    saboteur.admin().control_breaker("force-open", link);
    let before = breakers(&saboteur);

    // The manifest is valid, but no instance can start in so little memory.
    let sensitive = link_policy("{ consecutive_failures = 1 }");
    let more = format!("{sensitive}\n[application.tool.socar.links.neighbour]\nbreaker = true");
    let build = "[component.saboteur.build]";
    let too_small = format!("[component.saboteur.tool.socar]\nmemory = \"64KiB\"\n\n{build}");
    let bad = manifest_with(&more).replace(build, &too_small);
    let output = saboteur.deploy_refused(&bad);
    assert!(output.contains("does not start"), "{output}");
    assert_eq!(breakers(&saboteur), before);
    saboteur.call("/greet/me").problem(503, "cut-off");
    saboteur.admin().control_breaker("reset", link);
    saboteur.call("/greet/me").is(200);
    let metrics = saboteur.admin().metrics();
    assert!(
        !metrics.contains("gateway -> neighbour\",state"),
        "{metrics}"
    );
}

#[test]
fn a_link_that_the_new_version_lacks_is_removed() {
    let saboteur = Saboteur::start_with(&link_policy("true"), &[]);
    let guarded = |text: String| text.replace("breaker = false", "breaker = true");
    saboteur.deploy(&guarded(manifest_with("")));
    let link = "saboteur -> neighbour";
    assert!(breakers(&saboteur).contains_key(link));
    let series = format!("socar_breaker_state{{link=\"{link}\",state=\"closed\"}}");
    assert_eq!(saboteur.admin().metric(&series), Some(1.0));

    let apart = guarded(manifest_with("")).replace("\"{{ neighbour_url }}\", ", "");
    saboteur.deploy(&apart);
    assert!(!breakers(&saboteur).contains_key(link));
    eventually(|| saboteur.admin().metric(&series), Option::is_none);
}

#[test]
fn a_bad_version_is_refused_and_the_old_one_keeps_running() {
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    let nonsense = saboteur.state_dir().join("nonsense.wasm");
    fs::write(&nonsense, b"\0asm\x0d\0\x01\0nonsense").expect("a bad build");
    let other_log = manifest_with("").replace("127.0.0.1:6379", "127.0.0.1:6380");
    let missing = saboteur.state_dir().join("missing.wasm");
    let bad = [
        (
            manifest_for(&nonsense, ""),
            "is no component that can be run here",
        ),
        (manifest_for(&missing, ""), "there is no such file"),
        (
            manifest_with("queue = -1"),
            "`application.tool.socar.queue` = -1",
        ),
        (
            manifest_with("fallback = { component = \"missing\" }"),
            "`application.tool.socar.fallback.component` = \"missing\"",
        ),
        (other_log, "`application.trigger.redis.address` has changed"),
    ];
    let (_, ()) = under_load(&saboteur, || {
        for (manifest, reason) in bad {
            let output = saboteur.deploy_refused(&manifest);
            assert!(output.contains(reason), "{output}");
            assert_eq!(generation(&saboteur), 1);
        }
        saboteur.send_sighup();
        eventually(
            || saboteur.log().matches("reload refused").count(),
            |count| *count == 6,
        );
    });
    saboteur.deploy(&manifest_with(""));
}
