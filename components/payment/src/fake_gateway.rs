//! A fake of [`Gateway`] for the tests of this crate. It keeps the taken money, fails in every way a remote gateway
//! can fail, and lets a request arrive after its caller timed out.

use crate::{
    domain::{GatewayError, GatewayId, Order},
    ports::{ApprovalOutcome, Gateway, RefundError},
};
use events::ReservationId;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

/// How the fake handles an approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FakeResponse {
    /// The money is taken.
    #[default]
    Approves,
    /// The money is not taken.
    Declines,
    /// The request is not sent; a retry makes sense in 60 s.
    NotRequested,
    /// The money is not taken, and the call fails.
    FailsUncharged,
    /// The money is taken, and the call fails.
    FailsCharged,
    /// The call fails, and the money is taken at the next [`FakeGateway::deliver_delayed`].
    ChargesLate,
}

/// A remote gateway in memory.
#[derive(Debug)]
pub struct FakeGateway {
    /// Its identity.
    pub id: GatewayId,
    /// How the next approvals are handled.
    pub response: Cell<FakeResponse>,
    /// How many of the next refunds fail.
    pub failing_refunds: Cell<u32>,
    /// How many approvals were requested.
    pub approvals: Cell<u32>,
    /// How many refunds were requested.
    pub refunds: Cell<u32>,
    charged: RefCell<BTreeSet<ReservationId>>,
    delayed: RefCell<Vec<ReservationId>>,
}

impl Default for FakeGateway {
    fn default() -> Self {
        Self::at("http://gateway/pay")
    }
}

impl FakeGateway {
    /// A gateway at an address.
    pub fn at(address: &str) -> Self {
        Self {
            id: GatewayId::remote(address),
            response: Cell::default(),
            failing_refunds: Cell::default(),
            approvals: Cell::default(),
            refunds: Cell::default(),
            charged: RefCell::default(),
            delayed: RefCell::default(),
        }
    }

    /// Whether the gateway has the money of a reservation.
    pub fn holds(&self, id: ReservationId) -> bool {
        self.charged.borrow().contains(&id)
    }

    /// Delivers the delayed approvals.
    pub fn deliver_delayed(&self) {
        self.charged.borrow_mut().extend(self.delayed.take());
    }
}

impl Gateway for FakeGateway {
    fn id(&self) -> Option<GatewayId> {
        Some(self.id.clone())
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        let response = self.response.get();
        if response != FakeResponse::NotRequested {
            self.approvals.set(self.approvals.get() + 1);
        }
        let id = order.reservation;
        let unknown = ApprovalOutcome::Unknown(GatewayError::new("the gateway does not respond"));
        match response {
            FakeResponse::Approves => {
                self.charged.borrow_mut().insert(id);
                ApprovalOutcome::Approved
            }
            FakeResponse::Declines => ApprovalOutcome::Declined,
            FakeResponse::NotRequested => ApprovalOutcome::NotRequested(GatewayError {
                message: "the gateway is cut off".into(),
                retry_after: Some(60),
            }),
            FakeResponse::FailsUncharged => unknown,
            FakeResponse::FailsCharged => {
                self.charged.borrow_mut().insert(id);
                unknown
            }
            FakeResponse::ChargesLate => {
                self.delayed.borrow_mut().push(id);
                unknown
            }
        }
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        self.refunds.set(self.refunds.get() + 1);
        if let Some(left) = self.failing_refunds.get().checked_sub(1) {
            self.failing_refunds.set(left);
            return Err(RefundError("the gateway does not respond".into()));
        }
        self.charged.borrow_mut().remove(&id);
        Ok(())
    }
}
