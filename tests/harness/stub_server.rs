//! An HTTP server of a test, which can refuse connections without losing its port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

use crate::client::runtime;

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
    address: SocketAddr,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Accepts connections.
    Open(JoinHandle<()>),
    /// Bound, but not listening: the system refuses connections.
    Closed(TcpSocket),
    /// Between the two.
    Changing,
}

// === impl StubServer ===

impl<R: Responder> StubServer<R> {
    /// Starts a server on a free port.
    pub fn start(responder: &Arc<R>) -> Self {
        let socket = bind(([127, 0, 0, 1], 0).into());
        let address = socket
            .local_addr()
            .unwrap_or_else(|error| panic!("no address for a server: {error}"));
        Self {
            state: State::Open(listen(socket, responder)),
            responder: Arc::clone(responder),
            address,
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection and refuses new ones.
    pub fn close(&mut self) {
        if let State::Open(task) = std::mem::replace(&mut self.state, State::Changing) {
            task.abort();
            // The port is free only when the task has ended; the result is its cancellation.
            let _ = runtime().block_on(task);
        }
        self.state = State::Closed(bind(self.address));
    }

    /// Accepts connections again.
    pub fn open(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Changing) {
            State::Closed(socket) => State::Open(listen(socket, &self.responder)),
            other => other,
        };
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    });
    socket.unwrap_or_else(|error| panic!("no port for a server: {error}"))
}

fn listen<R: Responder>(socket: TcpSocket, responder: &Arc<R>) -> JoinHandle<()> {
    let _context = runtime().enter();
    let listener = socket
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
