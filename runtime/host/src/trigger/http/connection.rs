//! One connection from its first byte to its last, and the ways in which it ends.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::trace;
use wasmtime_wasi_http::WasiBody;

use super::ClientInfo;
use super::connections::{CloseReason, ConnectionState, TrackedConnection};
use super::date;
use super::monitored_io::{MonitoredIo, linger, send_request_timeout};
use super::rejections::RejectionReason;
use super::service::HttpService;
use super::streams::H2Executor;
use super::takeover::{self, ResponseEnd, Takeover};
use config::policy::ListenerLimits;

/// How long a connection without a request in progress may take to shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// One accepted connection.
pub struct Connection<S> {
    /// Answers its requests.
    pub service: Arc<S>,
    /// The limits of the listener when the connection was accepted.
    pub limits: Arc<ListenerLimits>,
    /// The address of the client.
    pub client: SocketAddr,
    /// Its entry among all connections.
    pub tracked: TrackedConnection,
}

/// How a connection ended.
enum ConnectionEnd {
    /// The protocol ended it.
    Finished,
    /// The client broke the protocol, or stopped reading its response.
    Broken,
    /// The head or the body of a request did not arrive in time.
    SlowRequest,
    /// The host closed it while no request was in progress.
    Closed,
    /// The rest of a response takes it over.
    TakenOver(WasiBody),
}

// === impl Connection ===

impl<S: HttpService> Connection<S> {
    /// Serves the requests of the connection until it ends, or until `stop` once none is in progress.
    pub async fn serve(self, stream: TcpStream, stop: CancellationToken) {
        let state = self.tracked.state.clone();
        let (io, returned) = MonitoredIo::new(stream, state.clone(), self.limits.clone());
        // On the heap until it has ended: a response that takes over the connection does not need its space.
        let mut end = Box::pin(self.serve_protocol(io, stop)).await;
        // The requests of an HTTP/2 connection may outlive it by a moment, and with them the socket.
        let Ok(Ok(mut stream)) = tokio::time::timeout(SHUTDOWN_TIMEOUT, returned).await else {
            return;
        };
        if let ConnectionEnd::TakenOver(body) = end {
            let (io, returned) = MonitoredIo::new(stream, state.clone(), self.limits.clone());
            end = Self::send(io, body, &state).await;
            let Ok(returned) = returned.await else {
                return;
            };
            stream = returned;
        }
        // Closing may linger, which needs more space than a response.
        Box::pin(end.close(stream, &state)).await;
    }

    /// Sends the rest of a response that has taken over its connection. It ends by itself when the host stops.
    async fn send(mut io: MonitoredIo, body: WasiBody, state: &ConnectionState) -> ConnectionEnd {
        tokio::select! {
            end = takeover::send(&mut io, body) => match end {
                // The last chunk arrives, even if the client has sent something after its request.
                ResponseEnd::Complete => ConnectionEnd::Broken,
                ResponseEnd::Failed | ResponseEnd::ClientGone => ConnectionEnd::Closed,
            },
            _ = state.close_requested() => ConnectionEnd::Closed,
        }
    }

    async fn serve_protocol(&self, io: MonitoredIo, stop: CancellationToken) -> ConnectionEnd {
        let state = &self.tracked.state;
        let client = ClientInfo {
            address: self.client,
            connection: state.clone(),
            admitted: self.tracked.admitted,
            tracker: self.tracked.tracker().clone(),
        };
        let takeover = Takeover::default();
        let service = service_fn(|request: Request<Incoming>| {
            let (service, client) = (self.service.clone(), client.clone());
            let takeover = takeover.clone();
            let version = request.version();
            let has_too_many_fields = request.headers().len() > self.limits.headers;
            // On the heap until it is answered: hyper keeps the space of this future as long as the connection lives.
            Box::pin(async move {
                let mut response = match has_too_many_fields {
                    true => too_many_fields(&client.connection),
                    false => service.answer(request, &client).await,
                };
                date::set(response.headers_mut());
                Ok::<_, Infallible>(takeover.prepare(version, response))
            })
        });
        let protocol = protocol(&self.limits);
        let mut connection = pin!(protocol.serve_connection(TokioIo::new(io), service));
        let served = poll_fn(|cx| {
            if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                return Poll::Ready(self.finished(result));
            }
            // Before it waits, hyper has written everything that the socket takes.
            match state.is_write_stalled() {
                true => Poll::Pending,
                false => takeover.take().map_or(Poll::Pending, |body| {
                    Poll::Ready(ConnectionEnd::TakenOver(body))
                }),
            }
        });
        let close_reason = tokio::select! {
            end = served => return end,
            reason = state.close_requested() => reason,
            () = stop.cancelled() => CloseReason::Idle,
        };
        match close_reason {
            CloseReason::SlowRequest => ConnectionEnd::SlowRequest,
            CloseReason::SlowReader => ConnectionEnd::Broken,
            // The next connection waits for this place.
            CloseReason::Displaced => ConnectionEnd::Closed,
            CloseReason::Idle => {
                connection.as_mut().graceful_shutdown();
                shut_down(connection, state).await
            }
        }
    }

    fn finished(
        &self,
        result: Result<(), Box<dyn std::error::Error + Send + Sync>>,
    ) -> ConnectionEnd {
        let Err(error) = result else {
            return ConnectionEnd::Finished;
        };
        let reason = RejectionReason::of_connection(&*error);
        reason.into_iter().for_each(RejectionReason::count);
        trace!(client = %self.client, error, "connection ended");
        ConnectionEnd::Broken
    }
}

/// Requests in progress finish; a connection without one gets [`SHUTDOWN_TIMEOUT`].
async fn shut_down(
    mut connection: Pin<&mut impl Future>,
    state: &ConnectionState,
) -> ConnectionEnd {
    loop {
        match tokio::time::timeout(SHUTDOWN_TIMEOUT, connection.as_mut()).await {
            Ok(_) => return ConnectionEnd::Finished,
            Err(_) if state.is_idle() => return ConnectionEnd::Closed,
            Err(_) => {}
        }
    }
}

// === impl ConnectionEnd ===

impl ConnectionEnd {
    /// Closes the socket so that the client gets the last response.
    async fn close(self, mut stream: TcpStream, state: &ConnectionState) {
        match self {
            Self::SlowRequest => {
                RejectionReason::RequestTimeout.count();
                send_request_timeout(&mut stream).await;
                linger(stream).await;
            }
            Self::Broken => linger(stream).await,
            Self::Finished | Self::Closed if state.has_unread_body() => linger(stream).await,
            Self::Finished | Self::Closed | Self::TakenOver(_) => {}
        }
    }
}

/// The answer to a request with more fields than the limit. Over HTTP/1, hyper gives the same one before it has read them
/// all; over HTTP/2, it limits their size only.
fn too_many_fields(connection: &Arc<ConnectionState>) -> Response<WasiBody> {
    let _request = connection.begin_request();
    RejectionReason::HeadTooLarge.count();
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}

fn protocol(limits: &ListenerLimits) -> auto::Builder<H2Executor> {
    let mut protocol = auto::Builder::new(H2Executor::new(limits));
    protocol
        .http1()
        .timer(TokioTimer::new())
        // The connection tracker measures the time of a head, apart from the idle time before it.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_buf_size(limits.head);
    protocol
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.streams)
        .max_pending_accept_reset_streams(limits.resets)
        .max_local_error_reset_streams(limits.resets);
    protocol
}

#[cfg(test)]
mod tests;
