//! The decisions of the gateway, the requests that it received and the reservations that it has charged.

use std::collections::{BTreeSet, HashMap};

use http::{Method, StatusCode};

use super::{Decision, GatewayFault, ReceivedRequest};

/// The state of the gateway.
#[derive(Debug, Default)]
pub struct Ledger {
    decisions: HashMap<u64, Decision>,
    /// The number of refunds that still fail, by car.
    failing_refunds: HashMap<u64, u32>,
    fault: Option<GatewayFault>,
    received: Vec<ReceivedRequest>,
    charged: BTreeSet<u64>,
}

impl Ledger {
    pub fn decide(&mut self, car: u64, decision: Decision) {
        self.decisions.insert(car, decision);
    }

    pub fn fail_refunds(&mut self, car: u64, times: u32) {
        self.failing_refunds.insert(car, times);
    }

    pub fn fault(&self) -> Option<GatewayFault> {
        self.fault
    }

    pub fn set_fault(&mut self, fault: Option<GatewayFault>) {
        self.fault = fault;
    }

    pub fn received(&self) -> &[ReceivedRequest] {
        &self.received
    }

    pub fn charged(&self) -> &BTreeSet<u64> {
        &self.charged
    }

    /// Executes a request without a fault. Returns the status of the response; nothing means no response at all.
    pub fn execute(&mut self, request: ReceivedRequest) -> Option<StatusCode> {
        let status = if request.method == Method::DELETE {
            Some(self.refund(&request))
        } else {
            self.approve(&request)
        };
        self.received.push(request);
        status
    }

    /// Executes a request during a fault: it is charged, but not refunded.
    pub fn execute_with_fault(
        &mut self,
        fault: GatewayFault,
        request: ReceivedRequest,
    ) -> Option<StatusCode> {
        if request.method == Method::POST {
            self.charge(&request);
        }
        self.received.push(request);
        match fault {
            GatewayFault::ServerError => Some(StatusCode::INTERNAL_SERVER_ERROR),
            GatewayFault::PartialBody(_) => Some(StatusCode::CREATED),
            _ => None,
        }
    }

    fn approve(&mut self, request: &ReceivedRequest) -> Option<StatusCode> {
        let car = request.body["carId"].as_u64().unwrap_or_default();
        let decision = self.decisions.get(&car).copied().unwrap_or_default();
        if decision != Decision::Decline {
            self.charge(request);
        }
        match decision {
            Decision::Approve => Some(StatusCode::CREATED),
            Decision::Decline => Some(StatusCode::PAYMENT_REQUIRED),
            Decision::Fail => Some(StatusCode::INTERNAL_SERVER_ERROR),
            Decision::Hang => None,
        }
    }

    fn charge(&mut self, request: &ReceivedRequest) {
        self.charged.extend(request.body["rsvId"].as_u64());
    }

    /// A refund names only the reservation; its car is known from the approval.
    fn refund(&mut self, request: &ReceivedRequest) -> StatusCode {
        let reservation = request.path.rsplit('/').next();
        let reservation: Option<u64> = reservation.and_then(|id| id.parse().ok());
        let approval = self.received.iter().find(|received| {
            received.method == Method::POST && received.body["rsvId"].as_u64() == reservation
        });
        let Some(car) = approval.and_then(|approval| approval.body["carId"].as_u64()) else {
            return StatusCode::NOT_FOUND;
        };
        if let Some(left) = self.failing_refunds.get_mut(&car)
            && *left > 0
        {
            *left -= 1;
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        if let Some(reservation) = reservation {
            self.charged.remove(&reservation);
        }
        StatusCode::NO_CONTENT
    }
}
