//! What does a registry that misbehaves cost? A push or a pull fails with a reason and a remedy, within bounds, and
//! nothing of what was received is used.

mod fixture;

use std::fs;
use std::time::{Duration, Instant};

use harness::{BodyEnd, RegistryFault, RegistryLogin, RegistryStub};
use tempfile::TempDir;

use fixture::{MANIFEST, RegistryFixture, WASM, printed, refused, text};

#[test]
fn content_that_is_not_what_was_pushed_is_never_used() {
    for (fault, words) in [
        (
            RegistryFault::OtherContent,
            &["should have the digest", "push the application again"][..],
        ),
        (
            RegistryFault::LongContent,
            &["is longer than", "check the registry"],
        ),
        (
            RegistryFault::ShortContent,
            &["ended after", "3 attempts", "proxies"],
        ),
        (
            RegistryFault::PartialContent(BodyEnd::Disconnects),
            &["broke off", "3 attempts", "try again"],
        ),
        (RegistryFault::Endless, &["is longer than"]),
        (RegistryFault::Disconnect, &["got no answer", "3 attempts"]),
        (
            RegistryFault::Status(404),
            &["has the manifest, but no blob"],
        ),
        (RegistryFault::Text(String::new()), &["ended after 0 of"]),
    ] {
        let fixture = RegistryFixture::new();
        fixture.stub.fail("GET /v2/team/app/blobs/", fault.clone());
        let output = fixture.pull();
        refused(&output, words);
        assert!(text(&output).contains("sha256:"), "{}", text(&output));
        // Of the application there is the manifest, and no part.
        assert_eq!(fixture.cached().len(), 1, "{fault:?}");
        fixture.stub.heal();
        assert_eq!(printed(&fixture.pull()), fixture.name, "{fault:?}");
    }
}

#[test]
fn a_manifest_that_is_wrong_is_refused_with_its_reason() {
    let list = r#"{"schemaVersion": 2, "manifests": []}"#;
    let image = r#"{"schemaVersion": 2, "layers": [], "config": {"size": 2, "mediaType": "application/vnd.docker.container.image.v1+json", "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}"#;
    for (manifest, words) in [
        (list, "list of images for several platforms"),
        (image, "no application of Spin"),
        ("{}", "malformed"),
        ("<html>", "malformed"),
    ] {
        let fixture = RegistryFixture::empty();
        fixture.stub.put_manifest("team/app:1", manifest.as_bytes());
        refused(&fixture.pull(), &[words, "team/app:1"]);
    }
    let fixture = RegistryFixture::new();
    fixture
        .stub
        .fail("/manifests/", RegistryFault::OtherContent);
    refused(&fixture.pull(), &["should have the digest"]);
    refused(
        &fixture.pull_name(&fixture.name),
        &["should have the digest"],
    );
}

#[test]
fn what_a_registry_sends_without_an_end_is_not_read_to_its_end() {
    let fixture = RegistryFixture::new();
    let started = Instant::now();
    fixture.stub.fail("/manifests/", RegistryFault::Endless);
    refused(&fixture.pull(), &["is longer than 4194304 bytes"]);
    fixture.stub.require_login(RegistryLogin::Token);
    fixture.log_in();
    fixture.stub.fail("/token", RegistryFault::Endless);
    refused(&fixture.pull(), &["the token server", "is longer than"]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_outage_that_passes_is_survived_and_one_that_stays_is_reported() {
    let fixture = RegistryFixture::empty();
    for request in [
        "HEAD /v2/",
        "POST /v2/",
        "PUT /v2/team/app/blobs/",
        "PUT /v2/team/app/manifests/",
    ] {
        fixture
            .stub
            .fail_times(1, request, RegistryFault::Status(503));
    }
    for request in ["HEAD /v2/", "PUT /v2/team/app/manifests/"] {
        fixture
            .stub
            .fail_times(1, request, RegistryFault::Disconnect);
    }
    let pushed = printed(&fixture.push());
    for request in ["GET /v2/team/app/manifests/", "GET /v2/team/app/blobs/"] {
        fixture
            .stub
            .fail_times(1, request, RegistryFault::Status(500));
        fixture.stub.fail_times(
            1,
            request,
            RegistryFault::PartialContent(BodyEnd::Disconnects),
        );
    }
    assert_eq!(printed(&fixture.pull()), pushed);

    for status in [500, 502, 503, 504, 429] {
        fixture.stub.fail("/v2/", RegistryFault::Status(status));
        fixture.stub.forget_requests();
        let answers = format!("answers {status}");
        refused(
            &fixture.pull(),
            &[&answers, "3 attempts", "try again later"],
        );
        assert_eq!(fixture.stub.requests().len(), 3);
        fixture.stub.heal();
    }
    // A registry that asks for more patience than a command has gets no further requests.
    fixture
        .stub
        .fail("/v2/", RegistryFault::RetryAfter(429, "3600"));
    fixture.stub.forget_requests();
    refused(&fixture.pull(), &["asks to wait 3600 s"]);
    assert_eq!(fixture.stub.requests().len(), 1);
}

#[test]
fn a_registry_that_goes_away_is_reported_and_not_needed_for_what_is_cached() {
    let fixture = RegistryFixture::new();
    let part = fixture.layer(WASM);
    printed(&fixture.pull());
    fs::remove_file(
        fixture
            .state()
            .join("registry/blobs/sha256")
            .join(&part[7..]),
    )
    .expect("a part");
    fixture.stub.close();
    refused(
        &fixture.pull(),
        &[
            "cannot connect to 127.0.0.1:",
            "3 attempts",
            "check the name",
        ],
    );
    refused(
        &fixture.pull_name(&fixture.name),
        &["cannot connect to 127.0.0.1:"],
    );
    let whole = RegistryFixture::new();
    printed(&whole.pull());
    whole.stub.close();
    assert_eq!(printed(&whole.pull_name(&whole.name)), whole.name);
}

/// A bit that a disk has turned is found at the next start, and only the damaged part is fetched.
#[test]
fn a_damaged_part_in_the_cache_is_fetched_again() {
    let fixture = RegistryFixture::new();
    printed(&fixture.pull());
    let part = fixture.layer(WASM);
    let path = fixture
        .state()
        .join("registry/blobs/sha256")
        .join(&part[7..]);
    let mut content = fs::read(&path).expect("a part");
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&path, &content).expect("a damaged part");
    fixture.stub.forget_requests();
    let output = fixture.pull_name(&fixture.name);
    assert_eq!(printed(&output), fixture.name);
    assert!(text(&output).contains("damaged"), "{}", text(&output));
    let expected = format!("GET /v2/team/app/blobs/{part}");
    assert_eq!(fixture.stub.requests(), [expected]);
}

#[test]
fn credentials_are_used_where_they_belong_and_shown_nowhere() {
    for login in [RegistryLogin::Basic, RegistryLogin::Token] {
        let fixture = RegistryFixture::empty();
        fixture.stub.require_login(login);
        refused(
            &fixture.push(),
            &[
                "asks for credentials (401)",
                "docker login",
                "config.json has none",
            ],
        );
        fixture.log_in();
        let pushed = printed(&fixture.push());
        assert_eq!(printed(&fixture.pull()), pushed);

        for status in [401, 403, 500, 400] {
            fixture
                .stub
                .fail("/manifests/", RegistryFault::Echo(status));
            let answers = format!("{status}");
            refused(&fixture.pull(), &[&answers]);
            fixture.stub.heal();
        }
        // What another host is sent to fetch is public or signed: it gets no credentials.
        let other = RegistryStub::start();
        let redirected = format!("http://{}", other.host());
        fixture.stub.fail(
            "GET /v2/team/app/blobs/",
            RegistryFault::Redirect(redirected),
        );
        other.fail("GET /v2/", RegistryFault::Echo(403));
        let fresh = RegistryFixture {
            folder: TempDir::new().expect("a folder"),
            ..fixture
        };
        fresh.log_in();
        refused(&fresh.pull(), &["403"]);
        assert_eq!(other.credentials_seen(), 0);
    }
}

/// A transfer may take longer than a token is valid.
#[test]
fn an_expired_token_is_renewed() {
    let fixture = RegistryFixture::empty();
    fixture.stub.require_login(RegistryLogin::Token);
    fixture.log_in();
    for request in ["PUT /v2/team/app/blobs/", "PUT /v2/team/app/manifests/"] {
        fixture
            .stub
            .fail_times(1, request, RegistryFault::ExpiredToken);
    }
    let pushed = printed(&fixture.push());
    let blobs = "GET /v2/team/app/blobs/";
    fixture
        .stub
        .fail_times(1, blobs, RegistryFault::ExpiredToken);
    assert_eq!(printed(&fixture.pull()), pushed);
    let tokens = |request: &&String| request.as_str() == "GET /token";
    assert!(fixture.stub.requests().iter().filter(tokens).count() >= 5);
}

#[test]
fn a_registry_on_another_machine_is_never_reached_without_tls() {
    let fixture = RegistryFixture::empty();
    for name in ["registry.example.com/app:1", "10.0.0.1:5000/app:1", "app:1"] {
        let push = ["push", "--insecure", "-f", MANIFEST, name];
        refused(
            &fixture.registry(&push),
            &["--insecure is for a registry on this machine"],
        );
        refused(
            &fixture.pull_name(name),
            &["--insecure is for a registry on this machine"],
        );
    }
    // Not even when a registry on this machine sends the client there.
    let fixture = RegistryFixture::new();
    let away = "http://registry.example.com".to_owned();
    fixture
        .stub
        .fail("GET /v2/team/app/blobs/", RegistryFault::Redirect(away));
    refused(
        &fixture.pull(),
        &["registry.example.com is not reached over TLS"],
    );
    // Without the flag, TLS is tried.
    let state = fixture.state().to_string_lossy().into_owned();
    let pull = fixture.registry(&["pull", "--state-dir", &state, &fixture.tag()]);
    refused(&pull, &["cannot connect to 127.0.0.1:", "add --insecure"]);
}

#[test]
fn a_wrong_name_is_reported_before_anything_is_sent() {
    let fixture = RegistryFixture::empty();
    for name in ["App:1", "ghcr.io/a@sha256:00", "a b", ""] {
        refused(
            &fixture.pull_name(name),
            &["is no reference", "REGISTRY/NAME:TAG"],
        );
    }
    let digest = format!("{}@sha256:{:064}", fixture.stub.reference("app"), 0);
    let push = ["push", "--insecure", "-f", MANIFEST, &digest];
    refused(&fixture.registry(&push), &["leave out"]);
    refused(
        &fixture.pull_name(&fixture.stub.reference("other:2")),
        &["has no", "(404)", "push it first"],
    );
}
