//! The HTTP server of the gateway, which can refuse connections without losing its port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

use super::body::StubBody;
use super::ledger::Ledger;
use super::{GatewayFault, ReceivedRequest};
use crate::client::runtime;

/// The server. Its port stays bound while connections are refused, so that no other process takes it.
#[derive(Debug)]
pub enum Server {
    /// Accepts connections.
    Open(JoinHandle<()>),
    /// Bound, but not listening: the system refuses connections.
    Closed(TcpSocket),
    /// Between the two.
    Changing,
}

impl Server {
    /// Starts a server on a free port.
    pub fn start(ledger: &Arc<Mutex<Ledger>>) -> (Self, SocketAddr) {
        let socket = bind(([127, 0, 0, 1], 0).into());
        let address = socket
            .local_addr()
            .unwrap_or_else(|error| panic!("no address for the gateway: {error}"));
        (Self::Open(listen(socket, ledger)), address)
    }

    /// Closes every connection and refuses new ones.
    pub fn close(&mut self, address: SocketAddr) {
        if let Self::Open(task) = std::mem::replace(self, Self::Changing) {
            task.abort();
            // The port is free only when the task has ended; the result is its cancellation.
            let _ = runtime().block_on(task);
        }
        *self = Self::Closed(bind(address));
    }

    /// Accepts connections again.
    pub fn open(&mut self, ledger: &Arc<Mutex<Ledger>>) {
        *self = match std::mem::replace(self, Self::Changing) {
            Self::Closed(socket) => Self::Open(listen(socket, ledger)),
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
    socket.unwrap_or_else(|error| panic!("no port for the gateway: {error}"))
}

fn listen(socket: TcpSocket, ledger: &Arc<Mutex<Ledger>>) -> JoinHandle<()> {
    let _context = runtime().enter();
    let listener = socket
        .listen(1024)
        .unwrap_or_else(|error| panic!("the gateway cannot listen: {error}"));
    runtime().spawn(serve(listener, Arc::clone(ledger)))
}

async fn serve(listener: TcpListener, ledger: Arc<Mutex<Ledger>>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let ledger = Arc::clone(&ledger);
        let service = service_fn(move |request| respond(request, Arc::clone(&ledger)));
        connections.spawn(async move {
            // Clients that disconnect are part of the tests.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    ledger: Arc<Mutex<Ledger>>,
) -> Result<Response<StubBody>, Infallible> {
    let request = receive(request).await;
    let fault = ledger.lock().fault();
    let status = match fault {
        None => ledger.lock().execute(request),
        Some(GatewayFault::Slow(time)) => {
            let status = ledger.lock().execute(request);
            tokio::time::sleep(time).await;
            status
        }
        Some(fault) => ledger.lock().execute_with_fault(fault, request),
    };
    let Some(status) = status else {
        return std::future::pending().await;
    };
    let body = match fault {
        Some(GatewayFault::PartialBody(end)) => StubBody::partial(end),
        _ => StubBody::default(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    Ok(response)
}

async fn receive(request: Request<Incoming>) -> ReceivedRequest {
    let (head, body) = request.into_parts();
    let body = body.collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let header = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
    ReceivedRequest {
        path: head.uri.path().to_owned(),
        idempotency_key: header("idempotency-key"),
        media_type: header("content-type"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        method: head.method,
    }
}
