//! The twin of the payment gateway: it keeps books, so that nobody can be charged or refunded twice
//! without its being seen. In half of the schedules it is a ledger, which cannot fail and keeps none.

use crate::{fault_profile::CallOutcome, mutation::Mutation, world::World};
use events::ReservationId;
use payment::{
    domain::{Order, Silence},
    ports::{Approval, Gateway, NotUndone},
};
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Amounts above it are declined.
pub const LIMIT: u64 = 500;
/// How late a request may arrive that nobody waits for any more, in milliseconds.
const LATEST: usize = 1_500;

/// What the gateway did for one reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// How often it took the money.
    pub charged: u32,
    /// How often it gave the money back.
    pub refunded: u32,
}

impl Books {
    /// Whether the money is there.
    pub fn holds(self) -> bool {
        self.charged > self.refunded
    }
}

/// The gateway.
pub struct SimGateway {
    /// What it shares with the others.
    pub world: Rc<World>,
    /// What it did.
    pub books: Rc<RefCell<BTreeMap<ReservationId, Books>>>,
}

impl SimGateway {
    fn charge(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let books = Rc::clone(&self.books);
        // It knows a request by its reservation: asking twice takes the money once.
        move || {
            let mut books = books.borrow_mut();
            let books = books.entry(id).or_default();
            books.charged += u32::from(!books.holds());
        }
    }

    fn refund(&self, id: ReservationId) -> impl FnOnce() + 'static {
        let books = Rc::clone(&self.books);
        move || {
            let mut books = books.borrow_mut();
            let books = books.entry(id).or_default();
            books.refunded += u32::from(books.holds());
        }
    }
}

impl Gateway for SimGateway {
    fn is_remote(&self) -> bool {
        self.world.faults.has_gateway
    }

    async fn approve(&self, order: &Order) -> Approval {
        if order.amount > LIMIT {
            return Approval::Declined;
        }
        if !self.is_remote() {
            return Approval::Approved;
        }
        let id = order.reservation;
        if self.world.faults.breaker_rejects(&self.world.random) {
            if self.world.has_mutation(Mutation::ReportsSentCallAsNotSent) {
                self.charge(id)();
            }
            self.world.note(|| format!("nobody asks for {id}"));
            return Approval::NotAsked(Silence::new("cut off"));
        }
        let charge = self.charge(id);
        self.world
            .turn(|| format!("the gateway charges {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        match outcome {
            CallOutcome::Applied => {
                charge();
                return Approval::Approved;
            }
            CallOutcome::Dropped => {}
            CallOutcome::ReplyLost => charge(),
            CallOutcome::Delayed => self.world.later(LATEST, charge),
        }
        self.world
            .is_not_answered(|| format!("no answer ({outcome:?})"));
        Approval::Unknown(Silence::new("silence"))
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        if !self.is_remote() {
            return Ok(());
        }
        let refund = self.refund(id);
        self.world
            .turn(|| format!("the gateway refunds {id}"))
            .await;
        let outcome = self.world.faults.gateway_outcome(&self.world.random);
        match outcome {
            CallOutcome::Applied => {
                refund();
                return Ok(());
            }
            CallOutcome::Dropped => {}
            CallOutcome::ReplyLost => refund(),
            CallOutcome::Delayed => self.world.later(LATEST, refund),
        }
        self.world
            .is_not_answered(|| format!("no answer ({outcome:?})"));
        Err(NotUndone("silence".into()))
    }
}
