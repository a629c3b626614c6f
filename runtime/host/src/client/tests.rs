use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use http::{HeaderName, Method};

use super::*;
use crate::body::full;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A server that answers the first request on each connection, and resets the connection at the second one.
fn forgetful_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || forget_after_one(stream));
        }
    });
    format!("http://{address}/pay")
}

fn forget_after_one(mut stream: TcpStream) {
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"body") {
        let length = stream.read(&mut part).unwrap_or_default();
        request.extend_from_slice(&part[..length]);
        if length == 0 {
            return;
        }
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    // Bytes that are not read make the close a reset.
    let mut first = [0; 1];
    let _ = stream.read(&mut first);
}

async fn send(client: &HttpClient, url: &str, method: Method) -> Result<u16, Error> {
    let request = Request::builder()
        .method(method)
        .uri(url)
        .header(HeaderName::from_static("host"), "server")
        .body(full("body"))
        .unwrap();
    let response = client.send(request, TIMEOUT, None).await?;
    let status = response.status().as_u16();
    response.into_body().collect().await?;
    Ok(status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_connection_fails_no_request_that_may_be_sent_twice() {
    let url = forgetful_server();
    let client = HttpClient::default();
    // Several connections are pooled, and every one of them is dead at its second use.
    let first = futures::future::join_all((0..4).map(|_| send(&client, &url, Method::PUT)));
    assert!(first.await.into_iter().all(|sent| sent.is_ok()));
    for _ in 0..8 {
        assert_eq!(send(&client, &url, Method::PUT).await.unwrap(), 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_may_not_be_sent_twice_is_sent_once() {
    let url = forgetful_server();
    let client = HttpClient::default();
    // A connection returns to the pool in a task of its own: until then, the next request opens another one.
    let mut answered = 0;
    while send(&client, &url, Method::POST).await.is_ok() {
        answered += 1;
        assert!(answered < 100, "a request was sent again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(answered > 0);
}

#[tokio::test]
async fn the_cause_of_a_failed_connection_is_complete() {
    // It is bound and does not listen, so that no other socket listens there.
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("http://{}/", closed.local_addr().unwrap());
    let client = HttpClient::default();
    let request = Request::get(&url).body(full("")).unwrap();
    let error = client
        .send_and_resend(request, DEFAULT_CONNECT_TIMEOUT)
        .await
        .unwrap_err();
    let cause = cause(&error);
    assert!(cause.contains("refused"), "{cause}");
}
