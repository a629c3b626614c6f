//! Credentials of docker's configuration, with helpers that are shell scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn store(config: &str) -> (tempfile::TempDir, CredentialStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    fs::write(&path, config).unwrap();
    (directory, CredentialStore::in_file(path))
}

fn credentials(user: &str, secret: &str) -> Option<Credentials> {
    Some(Credentials {
        user: user.to_owned(),
        secret: secret.to_owned(),
    })
}

#[tokio::test]
async fn stored_credentials_are_found_by_the_host_of_the_registry() {
    // user:hunter2 and hub:hunter:3
    let (_directory, store) = store(
        r#"{"auths": {
            "registry.example.com": {"auth": "dXNlcjpodW50ZXIy"},
            "https://index.docker.io/v1/": {"auth": "aHViOmh1bnRlcjoz"},
            "http://localhost:5000/v2/": {"username": "me", "password": "hunter4"},
            "empty.example.com": {}
        }, "currentContext": "default"}"#,
    );
    for (registry, expected) in [
        ("registry.example.com", credentials("user", "hunter2")),
        (
            "https://index.docker.io/v1/",
            credentials("hub", "hunter:3"),
        ),
        ("localhost:5000", credentials("me", "hunter4")),
        ("localhost:5001", None),
        ("example.com", None),
        ("empty.example.com", None),
    ] {
        let found = store.find(registry).await.unwrap();
        assert!(found == expected, "{registry}");
    }
}

#[tokio::test]
async fn without_a_configuration_there_are_no_credentials() {
    let directory = tempfile::tempdir().unwrap();
    let store = CredentialStore::in_file(directory.path().join("config.json"));
    assert_eq!(store.find("registry.example.com").await.unwrap(), None);
    assert_eq!(CredentialStore::default().find("a").await.unwrap(), None);
}

#[tokio::test]
async fn a_malformed_configuration_is_refused_without_being_shown() {
    for config in [
        r#"{"auths": {"a.example": {"auth": 4711}}}"#,
        r#"{"auths": {"a.example": "hunter2"}}"#,
        r#"{"auths": {"a.example": {"auth": "hunter2hunter2"}}}"#,
        r#"{"auths": {"a.example": {"auth": "aHVudGVyMg=="}}}"#,
        r#"{"auths": {"a.example": {"identitytoken": "hunter2"}}}"#,
        r#"{"auths": hunter2"#,
    ] {
        let (_directory, store) = store(config);
        let refused = store.find("a.example").await.unwrap_err();
        let refused = format!("{refused:#}");
        assert!(refused.contains("config.json"), "{refused}");
        assert!(refused.contains("log in"), "{refused}");
        for secret in ["hunter2", "4711", "aHVudGVyMg"] {
            assert!(!refused.contains(secret), "{refused}");
        }
    }
}

/// Puts a helper on the search path of this process, under a name of its own.
fn helper(script: &str) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let name = format!("test-{:016x}", fastrand::u64(..));
    let path = directory.path().join(format!("docker-credential-{name}"));
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, path.display().to_string())
}

#[tokio::test]
async fn a_helper_is_asked_for_the_registry() {
    let script = r#"test "$1" = get && read -r name; printf '{"ServerURL":"%s","Username":"of-%s","Secret":"hunter2"}' "$name" "$name""#;
    let (_directory, program) = helper(script);
    let found = helper::ask(&program, "a.example").await.unwrap();
    assert!(found == credentials("of-a.example", "hunter2"));
}

#[tokio::test]
async fn a_helper_that_fails_is_named_and_what_it_printed_is_not() {
    let (_directory, program) = helper("echo hunter2; exit 3");
    let refused = helper::ask(&program, "a.example").await.unwrap_err();
    let refused = format!("{refused:#}");
    assert!(refused.contains("exit status: 3"), "{refused}");
    assert!(!refused.contains("hunter2"), "{refused}");
    let (_directory, program) = helper("echo credentials not found in native keychain; exit 1");
    assert_eq!(helper::ask(&program, "a.example").await.unwrap(), None);
    let (_directory, program) = helper("echo hunter2");
    let refused = helper::ask(&program, "a.example").await.unwrap_err();
    assert!(!format!("{refused:#}").contains("hunter2"), "{refused:#}");
}

#[tokio::test]
async fn a_missing_helper_is_named_with_its_remedy() {
    let (_directory, store) = store(r#"{"credHelpers": {"a.example": "no-such-helper"}}"#);
    let refused = store.find("a.example").await.unwrap_err();
    let refused = format!("{refused:#}");
    assert!(
        refused.contains("docker-credential-no-such-helper"),
        "{refused}"
    );
    assert!(refused.contains("credHelpers"), "{refused}");
    assert_eq!(store.find("b.example").await.unwrap(), None);
    let (_directory, store) = self::store(r#"{"credsStore": "../../evil"}"#);
    let refused = store.find("a.example").await.unwrap_err();
    assert!(
        format!("{refused:#}").contains("not the name"),
        "{refused:#}"
    );
}
