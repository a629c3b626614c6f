//! An HTTP server of a test, which can refuse connections without losing its port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::client::runtime;
use crate::reserved_port::ReservedPort;

/// What a server answers. A request may get no answer at all.
pub(crate) trait Responder: Send + Sync + 'static {
    /// The body of an answer.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
        + Send
        + 'static;

    /// The answer to a request.
    fn respond(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// A server over HTTP/1.1 and HTTP/2. Its port stays bound while connections are refused, so that no other process takes
/// it.
#[derive(Debug)]
pub(crate) struct StubServer<R> {
    responder: Arc<R>,
    port: ReservedPort,
    /// Accepts connections; absent while they are refused.
    task: Option<JoinHandle<()>>,
}

// === impl StubServer ===

impl<R: Responder> StubServer<R> {
    /// Starts a server on a free port.
    pub fn start(responder: &Arc<R>) -> Self {
        let port = ReservedPort::any();
        Self {
            task: Some(listen(&port, responder)),
            responder: Arc::clone(responder),
            port,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Closes every connection and refuses new ones.
    pub fn close(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // The system refuses connections only when the task has ended; the result is its cancellation.
            let _ = runtime().block_on(task);
        }
    }

    /// Accepts connections again.
    pub fn open(&mut self) {
        self.task
            .get_or_insert_with(|| listen(&self.port, &self.responder));
    }
}

fn listen<R: Responder>(port: &ReservedPort, responder: &Arc<R>) -> JoinHandle<()> {
    let _context = runtime().enter();
    let listener = port
        .socket()
        .listen(1024)
        .unwrap_or_else(|error| panic!("a server cannot listen: {error}"));
    runtime().spawn(serve(listener, Arc::clone(responder)))
}

async fn serve<R: Responder>(listener: TcpListener, responder: Arc<R>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let responder = Arc::clone(&responder);
        let service = service_fn(move |request| {
            let responder = Arc::clone(&responder);
            async move { Ok::<_, Infallible>(responder.respond(request).await) }
        });
        connections.spawn(async move {
            // Clients that disconnect are part of the tests.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}
