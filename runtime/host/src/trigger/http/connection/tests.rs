use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

use super::super::capacity::ConnectionCapacity;
use super::super::connections::ConnectionTracker;
use super::super::takeover::LongLived;
use super::*;
use crate::body::full;

/// Sends parts of a response as a test gives them to it.
type Parts = mpsc::UnboundedSender<Result<Frame<bytes::Bytes>, wasmtime_wasi_http::Error>>;

/// Answers `/short` at once, and any other path with a long-lived response.
#[derive(Default)]
struct TestService {
    parts: Mutex<Option<Parts>>,
}

/// A client and the connection that serves it.
struct Client {
    socket: TcpStream,
    service: Arc<TestService>,
    served: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    text: String,
}

impl HttpService for TestService {
    fn limits(&self) -> Arc<ListenerLimits> {
        Arc::default()
    }

    fn drain_time(&self) -> Duration {
        Duration::ZERO
    }

    async fn answer(&self, request: Request<Incoming>, client: &ClientInfo) -> Response<WasiBody> {
        let guard = client.connection.begin_request();
        if request.uri().path() == "/short" {
            return Response::new(full("short"));
        }
        let (parts, mut received) = mpsc::unbounded_channel();
        *self.parts.lock().await = Some(parts);
        let parts = futures::stream::poll_fn(move |cx| {
            let _ = &guard;
            received.poll_recv(cx)
        });
        let mut response = Response::new(StreamBody::new(parts).boxed_unsync());
        response.extensions_mut().insert(LongLived);
        response
    }
}

async fn connection(service: &Arc<TestService>) -> (TcpStream, TcpStream, Connection<TestService>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap());
    let (socket, accepted) = tokio::join!(socket, listener.accept());
    let (stream, client) = accepted.unwrap();
    let capacity = ConnectionCapacity {
        admitted: 10,
        refused: 1,
    };
    let tracked = ConnectionTracker::new(capacity).open(10).unwrap();
    let limits = service.limits();
    let connection = Connection {
        service: service.clone(),
        limits,
        client,
        tracked,
    };
    (socket.unwrap(), stream, connection)
}

impl Client {
    async fn send(request: &str) -> Self {
        let service = Arc::<TestService>::default();
        let stop = CancellationToken::new();
        let (mut socket, stream, connection) = connection(&service).await;
        let served = tokio::spawn(connection.serve(stream, stop.clone()));
        socket.write_all(request.as_bytes()).await.unwrap();
        Self {
            socket,
            service,
            served,
            stop,
            text: String::new(),
        }
    }

    async fn parts(&self) -> Parts {
        loop {
            if let Some(parts) = self.service.parts.lock().await.take() {
                return parts;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Everything that was received, as soon as it ends with `end`.
    async fn until(&mut self, end: &str) -> &str {
        while !self.text.ends_with(end) {
            let mut space = [0; 4096];
            let count = self.socket.read(&mut space).await.unwrap();
            assert!(count > 0, "the end without {end:?}: {}", self.text);
            self.text
                .push_str(std::str::from_utf8(&space[..count]).unwrap());
        }
        &self.text
    }

    async fn closes(mut self) {
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
        drop(self.socket);
        self.served.await.unwrap();
    }
}

fn send(parts: &Parts, text: &'static str) {
    parts.send(Ok(Frame::data(text.into()))).unwrap();
}

#[tokio::test]
async fn a_long_lived_response_takes_over_its_connection_and_ends_it() {
    let mut client = Client::send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let parts = client.parts().await;
    let head = client.until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("transfer-encoding: chunked\r\n"), "{head}");
    assert!(head.contains("connection: close\r\n"), "{head}");
    send(&parts, "first");
    client.until("\r\n\r\n5\r\nfirst\r\n").await;
    // An empty chunk would be the end.
    send(&parts, "");
    send(&parts, "0123456789abcdef");
    client
        .until("5\r\nfirst\r\n10\r\n0123456789abcdef\r\n")
        .await;
    client.stop.cancel();
    send(&parts, "last");
    client.until("\r\n4\r\nlast\r\n").await;
    drop(parts);
    client.until("\r\n0\r\n\r\n").await;
    client.closes().await;
}

#[tokio::test]
async fn the_responses_before_it_arrive_first_and_the_next_request_is_ignored() {
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let requests = request("/short") + &request("/long") + &request("/short");
    let mut client = Client::send(&requests).await;
    let parts = client.parts().await;
    send(&parts, "long");
    let text = client.until("4\r\nlong\r\n").await;
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
    assert!(text.contains("\r\n\r\nshortHTTP/1.1 200 OK"), "{text}");
    drop(parts);
    client.until("\r\n0\r\n\r\n").await;
    client.closes().await;
}

#[tokio::test]
async fn a_response_over_http_1_0_has_no_chunks() {
    let mut client = Client::send("GET /long HTTP/1.0\r\n\r\n").await;
    let parts = client.parts().await;
    send(&parts, "long");
    let text = client.until("\r\n\r\nlong").await.to_lowercase();
    assert!(!text.contains("chunked"), "{text}");
    drop(parts);
    client.closes().await;
}

#[tokio::test]
async fn a_client_that_goes_ends_the_response() {
    let mut client = Client::send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let parts = client.parts().await;
    send(&parts, "first");
    client.until("5\r\nfirst\r\n").await;
    drop(client.socket);
    parts.closed().await;
    client.served.await.unwrap();
}

#[tokio::test]
async fn a_response_that_fails_is_not_complete() {
    let mut client = Client::send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let parts = client.parts().await;
    send(&parts, "first");
    client.until("5\r\nfirst\r\n").await;
    let error = wasmtime_wasi_http::Error::ConnectionReadTimeout;
    parts.send(Err(error)).unwrap();
    client.closes().await;
}

/// 10 000 clients that listen for changes are 10 000 such tasks.
#[tokio::test]
async fn the_task_of_a_connection_is_small() {
    let (_socket, stream, connection) = connection(&Arc::default()).await;
    let size = size_of_val(&connection.serve(stream, CancellationToken::new()));
    assert!(size <= 1024, "{size} bytes");
}
