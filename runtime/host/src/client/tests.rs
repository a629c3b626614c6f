use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderName;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::body::full;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A server that answers the first request on each connection, and resets the connection at the second one.
fn forgetful_server() -> String {
    server(|_, stream| forget_after_one(stream, || ()))
}

/// A server that resets the first connections so many at their second request, and serves all later ones. It answers the first
/// requests when all of these connections are open, so that none of them is used twice before.
fn server_behind_a_nat(forgotten: usize) -> String {
    let all_open = Arc::new(Barrier::new(forgotten));
    server(move |number, mut stream| match number < forgotten {
        true => forget_after_one(stream, || {
            all_open.wait();
        }),
        false => while answer_one(&mut stream, || ()) {},
    })
}

/// Serves each connection, with its number, in a thread of its own.
fn server(serve: impl Fn(usize, TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(number, stream));
        }
    });
    format!("http://{address}/pay")
}

/// Whether there was a request. It is answered after the wait.
fn answer_one(stream: &mut TcpStream, wait: impl FnOnce()) -> bool {
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.ends_with(b"body") {
        let length = stream.read(&mut part).unwrap_or_default();
        request.extend_from_slice(&part[..length]);
        if length == 0 {
            return false;
        }
    }
    wait();
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    true
}

fn forget_after_one(mut stream: TcpStream, wait: impl FnOnce()) {
    if !answer_one(&mut stream, wait) {
        return;
    }
    // Bytes that are not read make the close a reset.
    let mut first = [0; 1];
    let _ = stream.read(&mut first);
}

async fn send(client: &HttpClient, url: &str, method: Method) -> Result<u16, Error> {
    send_with_key(client, url, method, None).await
}

async fn send_with_key(
    client: &HttpClient,
    url: &str,
    method: Method,
    key: Option<&str>,
) -> Result<u16, Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .header(HeaderName::from_static("host"), "server");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let request = request.body(full("body")).unwrap();
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

/// As many connections as requests at the same time, which are idle afterwards.
async fn pool(client: &HttpClient, url: &str, connections: usize) {
    let sent = futures::future::join_all((0..connections).map(|_| send(client, url, Method::POST)));
    assert!(sent.await.into_iter().all(|sent| sent.is_ok()));
    // A connection returns to the pool in a task of its own.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_with_a_key_succeed_although_every_pooled_connection_is_dead() {
    let url = server_behind_a_nat(8);
    let client = HttpClient::default();
    pool(&client, &url, 8).await;
    let commands = (0..11).map(|_| send_with_key(&client, &url, Method::POST, Some("\"1\"")));
    for sent in futures::future::join_all(commands).await {
        assert_eq!(sent.unwrap(), 200);
    }
}

/// Where one connection is dead, the others are closed, so that no further request fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_dead_connection_fails_one_request_at_most() {
    let url = server_behind_a_nat(8);
    let client = HttpClient::default();
    pool(&client, &url, 8).await;
    tokio::time::sleep(FORGOTTEN_AFTER).await;
    let first = send(&client, &url, Method::POST).await;
    assert!(
        matches!(first, Err(Error::ConnectionTerminated)),
        "{first:?}"
    );
    for _ in 0..10 {
        assert_eq!(send(&client, &url, Method::POST).await.unwrap(), 200);
    }
}

#[test]
fn an_answer_about_a_resource_does_not_make_its_server_unusable() {
    let unusable = |method: Method, status: u16, media_type: &'static str| {
        let response = Response::builder()
            .status(status)
            .header(CONTENT_TYPE, media_type);
        is_unusable(&method, &response.body(()).unwrap())
    };
    let problem = "application/problem+json; charset=utf-8";
    for status in [200, 400, 403, 404, 405, 409, 422] {
        assert!(!unusable(Method::POST, status, problem), "{status}");
    }
    for method in [Method::GET, Method::HEAD, Method::DELETE] {
        assert!(!unusable(method, 404, "text/html"));
    }
    for (method, status) in [
        (Method::POST, 404),
        (Method::GET, 403),
        (Method::PUT, 405),
        (Method::GET, 302),
    ] {
        assert!(unusable(method, status, "text/html"), "{status}");
    }
    for status in [401, 407, 500, 503] {
        assert!(unusable(Method::POST, status, problem), "{status}");
    }
}

/// The lines that a test logs.
#[derive(Clone, Default)]
struct Lines(Arc<parking_lot::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn an_unusable_host_is_a_warning_once_for_each_cause() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_writer(lines.clone());
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let statuses = [
        "404 Not Found",
        "503 Service Unavailable",
        "401 Unauthorized",
    ];
    let answered = Arc::<AtomicUsize>::default();
    let url = server(move |_, mut stream| {
        let mut part = [0; 1024];
        while stream.read(&mut part).unwrap_or_default() > 0 {
            let status = statuses[answered.fetch_add(1, Ordering::Relaxed) % statuses.len()];
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
        }
    });
    let client = HttpClient::default().of_component("payment", None);
    let closed = tokio::net::TcpSocket::new_v4().unwrap();
    closed.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let closed = format!("http://{}/", closed.local_addr().unwrap());
    for _ in 0..12 {
        let request = Request::delete(&url).body(full("")).unwrap();
        let response = client.send(request, TIMEOUT, None).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert!(send(&client, &closed, Method::PUT).await.is_err());
    }
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    let count = |cause: &str| text.lines().filter(|line| line.contains(cause)).count();
    assert_eq!(count("a remote host cannot be used"), 3, "{text}");
    for cause in ["it answers 503", "it answers 401", "refused"] {
        assert_eq!(count(cause), 1, "{text}");
    }
    assert!(text.lines().all(|line| line.contains("WARN")), "{text}");
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
    let SendError::Failed(error) = error else {
        panic!("{error:?}");
    };
    let cause = cause(&error);
    assert!(cause.contains("refused"), "{cause}");
}
