//! Tests of the admin listener from the view of a client, with and without a socket.

use http_body_util::Full;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::client::RunningHost;
use super::*;
use crate::cli::AdminToken;
use event_log::test_support::{Fixture, embedded, event};
use event_log::{Consumer, EventLog, Position};

const STREAM: &str = "socar.car";

fn letter_log(fixture: &Fixture) -> dead_letters::LetterLog {
    dead_letters::LetterLog {
        log: fixture.log.clone(),
        database: None,
    }
}

fn options(token: Option<&str>) -> AdminOptions {
    AdminOptions {
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        admin_token: token.map(str::to_owned),
    }
}

async fn send(admin: &Admin, method: Method, path: &str, body: &[u8]) -> Response<WasiBody> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:1")
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
    admin.respond(request, ()).await
}

async fn status_and_json(response: Response<WasiBody>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

/// Parks `count` events of the group `message` and returns the ids of their dead letters.
async fn parked(log: &dyn EventLog, count: usize) -> Vec<String> {
    let reader = Consumer::new("message", "host", &[STREAM]);
    log.subscribe(&reader).await.unwrap();
    let mut letters = Vec::new();
    for number in 0..count {
        let id = log.append(STREAM, &event("car/1", number)).await.unwrap();
        log.claim(&reader, 1, Duration::ZERO).await.unwrap();
        let position = Position {
            stream: STREAM.into(),
            id,
        };
        let letter = log.park("message", &position, "no", 3).await.unwrap();
        letters.push(letter.unwrap().to_string());
    }
    letters
}

/// A request over HTTP/2 has its host in the address.
#[tokio::test(flavor = "multi_thread")]
async fn the_authority_of_http2_is_the_host() {
    let fixture = embedded();
    let admin = Admin::new(&options(None), None).unwrap();
    let admin = admin.with(dead_letters::routes(letter_log(&fixture)));
    for (authority, status) in [
        ("127.0.0.1:1", 200),
        ("localhost", 200),
        ("evil.example", 403),
    ] {
        let request = Request::builder().uri(format!("http://{authority}/dead-letters"));
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let response = admin.respond(request, ()).await;
        assert_eq!(response.status(), status, "{authority}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_read_page_by_page() {
    let fixture = embedded();
    let letters = parked(&*fixture.log, 3).await;
    let admin = Admin::new(&options(None), None).unwrap();
    let admin = admin.with(dead_letters::routes(letter_log(&fixture)));

    let (status, page) =
        status_and_json(send(&admin, Method::GET, "/dead-letters?limit=2", b"").await).await;
    assert_eq!(
        (status, page["letters"][1]["id"].as_str()),
        (200, Some(&*letters[1]))
    );
    let next = page["next"].as_str().unwrap();
    let (_, page) = status_and_json(send(&admin, Method::GET, next, b"").await).await;
    assert_eq!(page["letters"][0]["id"], letters[2]);
    assert_eq!(page["next"], Value::Null);

    let path = format!("/dead-letters/{}", letters[0]);
    let (status, letter) = status_and_json(send(&admin, Method::GET, &path, b"").await).await;
    assert_eq!((status, &letter["error"]), (200, &json!("no")));
    for path in [
        "/dead-letters?limit=0",
        "/dead-letters?after=x",
        "/dead-letters/x",
    ] {
        let (status, _) = status_and_json(send(&admin, Method::GET, path, b"").await).await;
        assert_eq!(status, 400, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_redriven_or_discarded_only_once() {
    let fixture = embedded();
    let letters = parked(&*fixture.log, 2).await;
    let admin = Admin::new(&options(None), None).unwrap();
    let admin = admin.with(dead_letters::routes(letter_log(&fixture)));
    let redrive = format!("/dead-letters/{}/redrive", letters[0]);
    let discard = format!("/dead-letters/{}", letters[1]);

    assert_eq!(
        send(&admin, Method::POST, &redrive, b"").await.status(),
        200
    );
    assert_eq!(
        send(&admin, Method::POST, &redrive, b"").await.status(),
        404
    );
    assert_eq!(
        send(&admin, Method::DELETE, &discard, b"").await.status(),
        200
    );
    assert_eq!(
        send(&admin, Method::DELETE, &discard, b"").await.status(),
        404
    );
    let reader = Consumer::new("message", "host", &[STREAM]);
    fixture.log.subscribe(&reader).await.unwrap();
    let given_back = fixture
        .log
        .claim(&reader, 10, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(given_back.len(), 1);
}

#[tokio::test]
async fn invalid_methods_paths_and_bodies_are_rejected_with_the_right_status() {
    let fixture = embedded();
    let admin = Admin::new(&options(None), None).unwrap();
    let admin = admin.with(dead_letters::routes(letter_log(&fixture)));

    let refused = send(&admin, Method::PATCH, "/dead-letters/1-0", b"").await;
    assert_eq!(refused.headers()["allow"], "GET, DELETE");
    let (status, problem) = status_and_json(refused).await;
    assert_eq!(
        (status, &problem["type"]),
        (405, &json!("https://socar.dev/problems/method-not-allowed"))
    );
    assert_eq!(
        send(&admin, Method::GET, "/nothing", b"").await.status(),
        404
    );
    let long = vec![b' '; MAX_BODY + 1];
    assert_eq!(
        send(&admin, Method::POST, "/dead-letters/1-0/redrive", &long)
            .await
            .status(),
        413
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_a_running_host_by_its_state_directory() {
    let state = tempfile::tempdir().unwrap();
    // A running host holds this lock.
    let lock = std::fs::File::open(state.path()).unwrap();
    lock.try_lock().unwrap();
    let fixture = embedded();
    let options = options(Some("secret"));
    let admin = Admin::new(&options, None).unwrap();
    let admin = AdminService::new(Arc::new(
        admin.with(dead_letters::routes(letter_log(&fixture))),
    ));
    let listener = AdminListener::bind(&options, state.path()).await.unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(listener::serve(admin, listener, stop.clone()));

    let token = |token: Option<&str>| AdminToken {
        admin_token: token.map(str::to_owned),
    };
    let allowed = RunningHost::find(state.path(), &token(Some("secret"))).unwrap();
    let page = allowed.get("/dead-letters").await.unwrap();
    assert_eq!(page, json!({"letters": [], "next": null}));
    let error = allowed.post("/dead-letters/1-0/redrive", "").await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("no dead letter 1-0")
    );
    let stranger = RunningHost::find(state.path(), &token(None)).unwrap();
    let error = stranger.get("/dead-letters").await;
    assert!(error.unwrap_err().to_string().contains("401"));

    stop.cancel();
    served.await.unwrap().unwrap();
    assert!(RunningHost::find(state.path(), &token(None)).is_err());
}
