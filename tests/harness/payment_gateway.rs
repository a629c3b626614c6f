//! A stub of a payment gateway. A test decides the result for each car, or injects a fault for all requests; the stub
//! records the requests that it received and the reservations that it has charged.

mod body;
mod ledger;
mod server;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use serde_json::Value;

use crate::platform::{Platform, SharedServer};
use crate::setup::{Mode, Setup};
use crate::steps::{Car, Reservation};
use crate::stub_server::StubServer;
use ledger::Ledger;

/// The result of a request to charge for a car.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decision {
    /// Charges and answers 201.
    #[default]
    Approve,
    /// Answers 402 without a charge.
    Decline,
    /// Charges and answers 500: the caller cannot know whether it was charged.
    Fail,
    /// Charges and never answers.
    Hang,
}

/// A fault of the whole gateway. A request to charge may have charged, whatever its response; a refund has happened
/// only if the response says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GatewayFault {
    /// No request is answered.
    Hangs,
    /// Every request is executed, and answered after this time.
    Slow(Duration),
    /// Every request is executed, and answered with a page of 100 000 bytes.
    LongBody,
    /// Every request is answered with 500.
    ServerError,
    /// Every request is answered with 201 and a part of the announced body.
    PartialBody(BodyEnd),
    /// Connections are refused.
    RefusesConnections,
}

/// The end of a body of which only a part is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEnd {
    /// The rest never arrives.
    Stalls,
    /// The connection is closed.
    Disconnects,
}

/// One request as it was received.
#[derive(Debug, Clone)]
pub struct ReceivedRequest {
    pub method: Method,
    pub path: String,
    pub idempotency_key: Option<String>,
    pub media_type: Option<String>,
    pub traceparent: Option<String>,
    pub tracestate: Option<String>,
    pub baggage: Option<String>,
    pub body: Value,
}

/// A running stub; it stops with the test process.
#[derive(Debug, Clone)]
pub struct PaymentGateway {
    address: SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    server: Arc<Mutex<StubServer<Mutex<Ledger>>>>,
}

impl Platform {
    /// The platform that takes payments through the returned gateway; shared like [`Platform::shared`].
    ///
    /// # Panics
    /// When the platform does not start.
    pub fn with_gateway(mode: Mode) -> (Self, PaymentGateway) {
        static EMBEDDED: SharedServer = SharedServer::new();
        static REDIS: SharedServer = SharedServer::new();
        // Both platforms number their cars from 1, so each needs a gateway of its own.
        static EMBEDDED_GATEWAY: OnceLock<PaymentGateway> = OnceLock::new();
        static REDIS_GATEWAY: OnceLock<PaymentGateway> = OnceLock::new();
        let (shared, gateway) = match mode {
            Mode::Embedded => (&EMBEDDED, &EMBEDDED_GATEWAY),
            Mode::Redis => (&REDIS, &REDIS_GATEWAY),
        };
        let gateway = gateway.get_or_init(PaymentGateway::start).clone();
        let platform = Self::of(shared, || {
            Setup::new(mode).variable("payment_gateway_url", &gateway.url())
        });
        (platform, gateway)
    }
}

// === impl PaymentGateway ===

impl PaymentGateway {
    /// Starts a gateway that approves every request.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start() -> Self {
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let server = StubServer::start(&ledger);
        Self {
            address: server.address(),
            ledger,
            server: Arc::new(Mutex::new(server)),
        }
    }

    /// The value of the variable `payment_gateway_url`.
    pub fn url(&self) -> String {
        format!("http://{}/payments", self.address)
    }

    /// Sets the result of all later requests to charge for this car.
    pub fn decide(&self, car: &Car, decision: Decision) {
        self.ledger.lock().decide(car.id, decision);
    }

    /// Answers the next `times` refunds for reservations of this car with 500.
    pub fn fail_refunds(&self, car: &Car, times: u32) {
        self.ledger.lock().fail_refunds(car.id, times);
    }

    /// Injects a fault.
    pub fn set_fault(&self, fault: GatewayFault) {
        self.ledger.lock().set_fault(Some(fault));
        if fault == GatewayFault::RefusesConnections {
            self.server.lock().close();
        }
    }

    /// Ends the fault.
    pub fn clear_fault(&self) {
        self.ledger.lock().set_fault(None);
        self.server.lock().open();
    }

    /// The number of requests so far.
    pub fn request_count(&self) -> usize {
        self.ledger.lock().received().len()
    }

    /// The reservations that are charged and not refunded.
    pub fn charged(&self) -> BTreeSet<u64> {
        self.ledger.lock().charged().clone()
    }

    /// The requests to charge for this car.
    pub fn approvals_of(&self, car: &Car) -> Vec<ReceivedRequest> {
        self.received(|request| request.method == Method::POST && request.body["carId"] == car.id)
    }

    /// The requests to refund this reservation.
    pub fn refunds_of(&self, reservation: &Reservation) -> Vec<ReceivedRequest> {
        let path = format!("/payments/{}", reservation.id);
        self.received(|request| request.method == Method::DELETE && request.path == path)
    }

    fn received(&self, wanted: impl Fn(&ReceivedRequest) -> bool) -> Vec<ReceivedRequest> {
        let ledger = self.ledger.lock();
        let received = ledger.received().iter();
        received
            .filter(|request| wanted(request))
            .cloned()
            .collect()
    }
}
