use access_token::{NewToken, now};
use http::HeaderValue;

use super::*;
use crate::principal::PRINCIPAL;

const LOOPBACK: &str = "127.0.0.1:3000";

fn options(identity: Option<&str>, open: bool) -> IdentityOptions {
    IdentityOptions {
        identity: identity.map(str::to_owned),
        audience: None,
        client_id: None,
        open,
    }
}

fn opened(options: &IdentityOptions, listen: &str) -> anyhow::Result<Option<Arc<Identity>>> {
    let folder = tempfile::tempdir().unwrap();
    let policy = IdentityPolicy::default();
    open(options, &policy, listen.parse().unwrap(), folder.path())
}

#[test]
fn only_this_machine_reaches_an_open_platform_unless_its_operator_decides_otherwise() {
    for (listen, open, starts) in [
        (LOOPBACK, false, true),
        ("[::1]:3000", false, true),
        ("[::ffff:127.0.0.1]:3000", false, true),
        ("0.0.0.0:3000", false, false),
        ("[::]:3000", false, false),
        ("10.0.0.7:3000", false, false),
        ("0.0.0.0:3000", true, true),
    ] {
        let opened = opened(&options(None, open), listen);
        assert_eq!(opened.is_ok(), starts, "{listen} {open}");
    }
    let local = opened(&options(Some("local"), false), "0.0.0.0:3000");
    assert!(local.unwrap().is_some());
    // An identity is never given up for `--open`.
    let local = opened(&options(Some("local"), true), LOOPBACK);
    assert!(local.unwrap().is_some());
}

/// The value of the principal's header for a token with these roles.
async fn principal(roles: &[&str]) -> Result<HeaderValue, Problem> {
    let folder = tempfile::tempdir().unwrap();
    let policy = IdentityPolicy::default();
    let options = options(Some(LOCAL), false);
    let identity = open(&options, &policy, LOOPBACK.parse().unwrap(), folder.path());
    let identity = identity.unwrap().unwrap();
    let key = local::signing_key(folder.path()).unwrap();
    let token = key.sign(&NewToken {
        issuer: local::ISSUER,
        audience: local::AUDIENCE,
        subject: "alice",
        roles,
        issued: now(),
        expires: now() + 60,
    });
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", token.unwrap());
    headers.insert(AUTHORIZATION, HeaderValue::try_from(bearer).unwrap());
    let first = identity.authenticate(&headers).await?;
    // The second time, the token is remembered.
    assert_eq!(identity.authenticate(&headers).await.as_ref(), Ok(&first));
    // It expires in 60 s, and is accepted for the leeway after that.
    let (again, remaining) = identity.authenticate_for_time(&headers).await?;
    assert_eq!(again, first);
    assert!((100..=120).contains(&remaining.as_secs()), "{remaining:?}");
    first.set_header(&mut headers);
    Ok(headers[PRINCIPAL].clone())
}

#[tokio::test]
async fn the_greatest_role_counts() {
    assert_eq!(principal(&["customer"]).await.unwrap(), "customer alice");
    let several = principal(&["customer", "auditor", "host"]).await;
    assert_eq!(several.unwrap(), "host alice");
    for none in [&[][..], &["Customer"], &["platform"], &["admin"]] {
        assert_eq!(principal(none).await, Err(Problem::RoleRequired));
    }
}

/// Run with `--release --ignored --nocapture`; the figures are in docs/src/decisions.md.
#[expect(clippy::print_stderr, reason = "a measurement for people")]
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_an_authentication() {
    let folder = tempfile::tempdir().unwrap();
    let policy = IdentityPolicy::default();
    let options = options(Some(LOCAL), false);
    let identity = open(&options, &policy, LOOPBACK.parse().unwrap(), folder.path());
    let identity = identity.unwrap().unwrap();
    let key = local::signing_key(folder.path()).unwrap();
    let headers = |subject: &str| {
        let token = key.sign(&NewToken {
            issuer: local::ISSUER,
            audience: local::AUDIENCE,
            subject,
            roles: &["customer"],
            issued: now(),
            expires: now() + 600,
        });
        let bearer = format!("Bearer {}", token.unwrap());
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(bearer).unwrap())])
    };
    let known = headers("alice");
    identity.authenticate(&known).await.unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..10_000 {
        identity.authenticate(&known).await.unwrap();
    }
    eprintln!("known token: {:?}", begun.elapsed() / 10_000);
    let new: Vec<_> = (0..1000)
        .map(|number| headers(&format!("user-{number}")))
        .collect();
    let begun = std::time::Instant::now();
    for headers in &new {
        identity.authenticate(headers).await.unwrap();
    }
    eprintln!("new token: {:?}", begun.elapsed() / 1000);
}
