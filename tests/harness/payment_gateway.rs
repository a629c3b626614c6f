//! A payment gateway that does as it is told, car by car or altogether, and remembers what it received and whose money it
//! holds.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

use crate::client::runtime;
use crate::platform::{Mode, Platform, Setup, SharedServer};
use crate::steps::{Car, Reservation};

/// What the gateway does when asked to take money for a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decision {
    /// 201, the money is taken.
    #[default]
    Approve,
    /// 402.
    Decline,
    /// 500, and nobody knows whether the money was taken.
    Fail,
    /// Takes the money and never answers.
    Hang,
}

/// What ails the gateway as a whole. Whoever asks it to take money may have been charged, whatever he hears; whoever asks
/// for money back gets it only when he hears so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayFault {
    /// It never answers.
    Hangs,
    /// It does what it is asked, and says so only after this time.
    Slow(Duration),
    /// It answers 500.
    ServerError,
    /// It says 201, and of what follows only a part.
    PartialBody(BodyEnd),
    /// Nobody listens.
    RefusesConnections,
}

/// What becomes of an answer of which only a part was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// Nothing: the rest never comes.
    Stalls,
    /// The connection breaks.
    Disconnects,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    pub method: Method,
    pub path: String,
    pub idempotency_key: Option<String>,
    pub media_type: Option<String>,
    pub body: Value,
}

/// A running gateway; it stops with the test process.
#[derive(Debug, Clone)]
pub struct Gateway {
    address: SocketAddr,
    state: Arc<Mutex<GatewayState>>,
    listener: Arc<Mutex<ListenerState>>,
}

/// Its port is never given up, so that nobody else takes it while the gateway is away.
#[derive(Debug)]
enum ListenerState {
    Open(JoinHandle<()>),
    /// Bound, but nobody listens: who connects is refused.
    Closed(TcpSocket),
    /// Between the two.
    Changing,
}

/// The body of an answer: nothing, unless it is to be half of one.
#[derive(Debug, Default)]
struct StubBody {
    content_length: u64,
    part: Option<Bytes>,
    end: Option<BodyEnd>,
}

#[derive(Debug, Default)]
struct GatewayState {
    decisions: HashMap<u64, Decision>,
    /// Per car, how many undo requests are still to be refused.
    failing_refunds: HashMap<u64, u32>,
    fault: Option<GatewayFault>,
    received: Vec<ReceivedRequest>,
    /// The reservations whose money it holds.
    charged: BTreeSet<u64>,
}

impl Platform {
    /// The platform, shared like [`Platform::shared`], that takes its money through the returned gateway.
    ///
    /// # Panics
    /// When it does not start.
    pub fn with_gateway(mode: Mode) -> (Self, Gateway) {
        static EMBEDDED: SharedServer = SharedServer::new();
        static REDIS: SharedServer = SharedServer::new();
        // Both platforms count their cars from 1: each needs a gateway of its own.
        static EMBEDDED_GATEWAY: OnceLock<Gateway> = OnceLock::new();
        static REDIS_GATEWAY: OnceLock<Gateway> = OnceLock::new();
        let (shared, gateway) = match mode {
            Mode::Embedded => (&EMBEDDED, &EMBEDDED_GATEWAY),
            Mode::Redis => (&REDIS, &REDIS_GATEWAY),
        };
        let gateway = gateway.get_or_init(Gateway::start).clone();
        let platform = Self::of(shared, || {
            Setup::new(mode).variable("payment_gateway_url", &gateway.url())
        });
        (platform, gateway)
    }
}

// === impl Gateway ===

impl Gateway {
    /// Starts one that approves everything.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(GatewayState::default()));
        let socket = bind(([127, 0, 0, 1], 0).into());
        let address = socket
            .local_addr()
            .unwrap_or_else(|error| panic!("no address for the gateway: {error}"));
        let port = ListenerState::Open(listen(socket, &state));
        Self {
            address,
            state,
            listener: Arc::new(Mutex::new(port)),
        }
    }

    /// What `payment_gateway_url` is to be.
    pub fn url(&self) -> String {
        format!("http://{}/payments", self.address)
    }

    /// From now on, decides so about this car.
    pub fn decide(&self, car: &Car, decision: Decision) {
        self.state.lock().decisions.insert(car.id, decision);
    }

    /// From now on, suffers from this.
    pub fn set_fault(&self, fault: GatewayFault) {
        self.state.lock().fault = Some(fault);
        if fault == GatewayFault::RefusesConnections {
            self.listener.lock().close(self.address);
        }
    }

    /// From now on, is well again.
    pub fn clear_fault(&self) {
        self.state.lock().fault = None;
        self.listener.lock().open(&self.state);
    }

    /// How often it was asked for anything.
    pub fn request_count(&self) -> usize {
        self.state.lock().received.len()
    }

    /// The reservations whose money it holds.
    pub fn charged(&self) -> BTreeSet<u64> {
        self.state.lock().charged.clone()
    }

    /// Answers the next so many undo requests for reservations of this car with 500.
    pub fn fail_refunds(&self, car: &Car, times: u32) {
        self.state.lock().failing_refunds.insert(car.id, times);
    }

    /// The requests to take money for this car.
    pub fn approvals_of(&self, car: &Car) -> Vec<ReceivedRequest> {
        self.received(|received| {
            received.method == Method::POST && received.body["carId"] == car.id
        })
    }

    /// The requests to give the money of this reservation back.
    pub fn refunds_of(&self, reservation: &Reservation) -> Vec<ReceivedRequest> {
        let path = format!("/payments/{}", reservation.id);
        self.received(|received| received.method == Method::DELETE && received.path == path)
    }

    fn received(&self, wanted: impl Fn(&ReceivedRequest) -> bool) -> Vec<ReceivedRequest> {
        self.state
            .lock()
            .received
            .iter()
            .filter(|received| wanted(received))
            .cloned()
            .collect()
    }
}

// === impl ListenerState ===

impl ListenerState {
    /// Ends every connection, and refuses new ones.
    fn close(&mut self, address: SocketAddr) {
        if let Self::Open(serving) = std::mem::replace(self, Self::Changing) {
            serving.abort();
            // Only once it is gone is the port free; that it was cancelled is no news.
            let _ = runtime().block_on(serving);
        }
        *self = Self::Closed(bind(address));
    }

    fn open(&mut self, state: &Arc<Mutex<GatewayState>>) {
        *self = match std::mem::replace(self, Self::Changing) {
            Self::Closed(socket) => Self::Open(listen(socket, state)),
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

fn listen(socket: TcpSocket, state: &Arc<Mutex<GatewayState>>) -> JoinHandle<()> {
    let _context = runtime().enter();
    let listener = socket
        .listen(1024)
        .unwrap_or_else(|error| panic!("the gateway cannot listen: {error}"));
    runtime().spawn(serve(listener, Arc::clone(state)))
}

async fn serve(listener: TcpListener, state: Arc<Mutex<GatewayState>>) {
    // They end with this task.
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(request, Arc::clone(&state)));
        connections.spawn(async move {
            // A caller that hangs up is part of the stories.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<GatewayState>>,
) -> Result<Response<StubBody>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let header = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
    let received = ReceivedRequest {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        idempotency_key: header("idempotency-key"),
        media_type: header("content-type"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let fault = state.lock().fault;
    let status = match fault {
        Some(fault) => respond_with_fault(fault, &state, received).await,
        None => decide(&mut state.lock(), received),
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

/// Like [`decide`], in fault.
async fn respond_with_fault(
    fault: GatewayFault,
    state: &Mutex<GatewayState>,
    received: ReceivedRequest,
) -> Option<StatusCode> {
    if let GatewayFault::Slow(time) = fault {
        let status = decide(&mut state.lock(), received);
        tokio::time::sleep(time).await;
        return status;
    }
    let mut state = state.lock();
    if received.method == Method::POST {
        state.charge(&received);
    }
    state.received.push(received);
    match fault {
        GatewayFault::ServerError => Some(StatusCode::INTERNAL_SERVER_ERROR),
        GatewayFault::PartialBody(_) => Some(StatusCode::CREATED),
        _ => None,
    }
}

/// The status to answer with; none means never to answer.
fn decide(state: &mut GatewayState, received: ReceivedRequest) -> Option<StatusCode> {
    let status = if received.method == Method::DELETE {
        let status = refund_status(state, &received);
        if status == StatusCode::NO_CONTENT {
            state.refund(&received);
        }
        Some(status)
    } else {
        let car = received.body["carId"].as_u64().unwrap_or_default();
        let decision = state.decisions.get(&car).copied().unwrap_or_default();
        if decision != Decision::Decline {
            state.charge(&received);
        }
        match decision {
            Decision::Approve => Some(StatusCode::CREATED),
            Decision::Decline => Some(StatusCode::PAYMENT_REQUIRED),
            Decision::Fail => Some(StatusCode::INTERNAL_SERVER_ERROR),
            Decision::Hang => None,
        }
    };
    state.received.push(received);
    status
}

/// An undo names the reservation only; which car that was, its approval has told.
fn refund_status(state: &mut GatewayState, undo: &ReceivedRequest) -> StatusCode {
    let reservation = reservation_in(undo);
    let approval = state.received.iter().find(|received| {
        received.method == Method::POST && received.body["rsvId"].as_u64() == reservation
    });
    let Some(car) = approval.and_then(|approval| approval.body["carId"].as_u64()) else {
        return StatusCode::NOT_FOUND;
    };
    match state.failing_refunds.get_mut(&car) {
        Some(left) if *left > 0 => {
            *left -= 1;
            StatusCode::INTERNAL_SERVER_ERROR
        }
        _ => StatusCode::NO_CONTENT,
    }
}

fn reservation_in(undo: &ReceivedRequest) -> Option<u64> {
    undo.path.rsplit('/').next()?.parse().ok()
}

// === impl StubBody ===

impl StubBody {
    /// Announces more than will come.
    fn partial(end: BodyEnd) -> Self {
        let part = Bytes::from_static(b"{\"approved\":");
        Self {
            content_length: part.len() as u64 * 2,
            part: Some(part),
            end: Some(end),
        }
    }
}

impl Body for StubBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match (self.part.take(), self.end) {
            (Some(part), _) => Poll::Ready(Some(Ok(Frame::data(part)))),
            (None, None) => Poll::Ready(None),
            // Nothing will ever wake it: the connection ends with the gateway, or with a caller who hangs up.
            (None, Some(BodyEnd::Stalls)) => Poll::Pending,
            (None, Some(BodyEnd::Disconnects)) => Poll::Ready(Some(Err("cut"))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.part.is_none() && self.end.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content_length)
    }
}

// === impl GatewayState ===

impl GatewayState {
    fn charge(&mut self, approval: &ReceivedRequest) {
        self.charged.extend(approval.body["rsvId"].as_u64());
    }

    fn refund(&mut self, undo: &ReceivedRequest) {
        if let Some(reservation) = reservation_in(undo) {
            self.charged.remove(&reservation);
        }
    }
}
