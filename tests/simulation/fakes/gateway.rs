//! The twin of the payment gateway: it keeps accounts, so that nobody can be charged or refunded twice
//! without its being seen. In half of the schedules it is a ledger, which cannot fail and keeps none.

use crate::{fault_profile::CallOutcome, mutation::Mutation, world::World};
use events::ReservationId;
use payment::{
    domain::{GatewayError, Order},
    ports::{ApprovalOutcome, Gateway, RefundError},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Amounts above it are declined.
pub const DECLINE_ABOVE: u64 = 500;
/// How late a request may arrive that nobody waits for any more, in milliseconds.
const MAX_DELAY_MS: usize = 1_500;

/// What the gateway did for one reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayAccount {
    /// How often it took the money.
    pub charged: u32,
    /// How often it gave the money back.
    pub refunded: u32,
}

impl GatewayAccount {
    /// Whether the money is there.
    pub fn holds(self) -> bool {
        self.charged > self.refunded
    }
}

/// The gateway.
pub struct FakeGateway {
    /// What it shares with the others.
    pub world: Rc<World>,
    /// What it did.
    pub accounts: Rc<RefCell<BTreeMap<ReservationId, GatewayAccount>>>,
}

impl FakeGateway {
    fn charge(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let accounts = Rc::clone(&self.accounts);
        // It knows a request by its reservation: asking twice takes the money once.
        move || {
            let mut accounts = accounts.borrow_mut();
            let accounts = accounts.entry(id).or_default();
            accounts.charged += u32::from(!accounts.holds());
        }
    }

    fn refund(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let accounts = Rc::clone(&self.accounts);
        move || {
            let mut accounts = accounts.borrow_mut();
            let accounts = accounts.entry(id).or_default();
            accounts.refunded += u32::from(accounts.holds());
        }
    }
}

impl Gateway for FakeGateway {
    fn is_remote(&self) -> bool {
        self.world.faults.has_gateway
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        if order.amount > DECLINE_ABOVE {
            return ApprovalOutcome::Declined;
        }
        if !self.is_remote() {
            return ApprovalOutcome::Approved;
        }
        let id = order.reservation;
        if self.world.faults.breaker_rejects(&self.world.random) {
            if self.world.has_mutation(Mutation::ReportsSentCallAsNotSent) {
                self.charge(id)();
            }
            self.world.trace(|| format!("nobody asks for {id}"));
            return ApprovalOutcome::NotRequested(GatewayError::new("cut off"));
        }
        let charge = self.charge(id);
        self.world
            .port_call(|| format!("the gateway charges {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        match outcome {
            CallOutcome::Applied => {
                charge();
                return ApprovalOutcome::Approved;
            }
            CallOutcome::Dropped => {}
            CallOutcome::ReplyLost => charge(),
            CallOutcome::Delayed => self.world.delay(MAX_DELAY_MS, charge),
        }
        self.world.unanswered(|| format!("no answer ({outcome:?})"));
        ApprovalOutcome::Unknown(GatewayError::new("no reply"))
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        if !self.is_remote() {
            return Ok(());
        }
        let refund = self.refund(id);
        self.world
            .port_call(|| format!("the gateway refunds {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        match outcome {
            CallOutcome::Applied => {
                refund();
                return Ok(());
            }
            CallOutcome::Dropped => {}
            CallOutcome::ReplyLost => refund(),
            CallOutcome::Delayed => self.world.delay(MAX_DELAY_MS, refund),
        }
        self.world.unanswered(|| format!("no answer ({outcome:?})"));
        Err(RefundError("no reply".into()))
    }
}
