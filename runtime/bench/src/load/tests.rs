//! The load of several connections against a small server.

use std::cell::Cell;

use super::super::connection::ExpectedRequest;
use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const SHORT: Duration = Duration::from_millis(300);

/// Starts a server that answers the requests of each connection with `statuses`, cyclically.
async fn server(statuses: &'static [&'static str]) -> Target {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                for status in statuses.iter().cycle() {
                    if stream.read(&mut request).await.unwrap_or(0) == 0 {
                        return;
                    }
                    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nhi");
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            });
        }
    });
    Target::parse(&url).unwrap()
}

fn load(connections: usize) -> Load {
    Load {
        connections,
        span: SHORT,
    }
}

#[tokio::test]
async fn an_unexpected_response_is_an_error_with_an_example() {
    let target = server(&["200 OK", "503 Service Unavailable"]).await;
    let measured = drive(&target, load(2), async |connection| {
        connection
            .send(ExpectedRequest::get("/cars"))
            .await
            .map(|_| Iteration::Done)
    })
    .await;
    assert!(measured.samples.count() > 0);
    assert!(
        measured.errors.abs_diff(measured.iterations / 2) <= 2,
        "{measured:?}"
    );
    let example = measured.example.unwrap_or_default();
    assert!(example.starts_with("GET /cars answered 503"), "{example}");
    assert!(
        measured.elapsed > Duration::ZERO && measured.elapsed <= SHORT + RESPONSE_TIMEOUT,
        "{:?}",
        measured.elapsed
    );
}

#[tokio::test]
async fn a_load_ends_when_no_work_is_left() {
    let target = server(&["200 OK"]).await;
    let left = Cell::new(5);
    let endless = Load {
        connections: 3,
        span: Duration::from_secs(3600),
    };
    let measured = drive(&target, endless, async |connection| {
        if left.get() == 0 {
            return Ok(Iteration::NothingLeft);
        }
        left.set(left.get() - 1);
        connection
            .send(ExpectedRequest::get("/cars"))
            .await
            .map(|_| Iteration::Done)
    })
    .await;
    assert_eq!((measured.iterations, measured.errors), (5, 0));
}

#[tokio::test]
async fn an_unreachable_platform_is_one_error_for_each_connection() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = Target::parse(&format!("http://{}", unused.local_addr().unwrap())).unwrap();
    drop(unused);
    let measured = drive(&target, load(3), async |_| Ok(Iteration::Done)).await;
    assert_eq!((measured.errors, measured.samples.count()), (3, 0));
}
