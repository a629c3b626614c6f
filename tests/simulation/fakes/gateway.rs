//! A fake of the payment gateway. Its accounts reveal a reservation that is charged or refunded twice. In half of
//! the schedules it acts as the built-in ledger, which cannot fail and keeps no accounts.

use crate::{mutation::Mutation, world::World};
use events::ReservationId;
use payment::{
    domain::{GatewayError, GatewayId, Order},
    ports::{ApprovalOutcome, Gateway, RefundError},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Larger amounts are declined.
pub const DECLINE_ABOVE: u64 = 500;

/// The account of one reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayAccount {
    /// The number of charges.
    pub charged: u32,
    /// The number of refunds.
    pub refunded: u32,
}

impl GatewayAccount {
    /// Whether the amount is charged and not refunded.
    pub fn holds(self) -> bool {
        self.charged > self.refunded
    }
}

/// The gateway.
pub struct FakeGateway {
    /// The shared state.
    pub world: Rc<World>,
    /// The accounts by reservation.
    pub accounts: Rc<RefCell<BTreeMap<ReservationId, GatewayAccount>>>,
}

impl FakeGateway {
    fn charge_effect(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let accounts = Rc::clone(&self.accounts);
        // The reservation identifies a request: a repeated request charges nothing.
        move || {
            let mut accounts = accounts.borrow_mut();
            let accounts = accounts.entry(id).or_default();
            accounts.charged += u32::from(!accounts.holds());
        }
    }

    fn refund_effect(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let accounts = Rc::clone(&self.accounts);
        move || {
            let mut accounts = accounts.borrow_mut();
            let accounts = accounts.entry(id).or_default();
            accounts.refunded += u32::from(accounts.holds());
        }
    }
}

impl Gateway for FakeGateway {
    fn id(&self) -> Option<GatewayId> {
        Some(match self.is_remote() {
            true => GatewayId::remote("http://gateway"),
            false => GatewayId::built_in(),
        })
    }

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
                self.charge_effect(id)();
            }
            self.world
                .trace(|| format!("a breaker rejects the charge of {id}"));
            return ApprovalOutcome::NotRequested(GatewayError::new("cut off"));
        }
        self.world
            .port_call(|| format!("the gateway charges {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        let delay = self.world.faults.gateway_delay_ms;
        match self.world.execute(outcome, delay, self.charge_effect(id)) {
            true => ApprovalOutcome::Approved,
            false => ApprovalOutcome::Unknown(GatewayError::new("no reply")),
        }
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        if !self.is_remote() {
            return Ok(());
        }
        self.world
            .port_call(|| format!("the gateway refunds {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        let delay = self.world.faults.gateway_delay_ms;
        match self.world.execute(outcome, delay, self.refund_effect(id)) {
            true => Ok(()),
            false => Err(RefundError("no reply".into())),
        }
    }
}
