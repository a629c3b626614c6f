//! The in-memory twin of [`Gateway`], for native tests and the simulation: it holds money, falls
//! silent in every way a real one can, and lets a request arrive after its caller gave up.

use crate::{
    domain::{Order, Silence},
    ports::{Approval, Gateway, NotUndone},
};
use events::ReservationId;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

/// What happens to a request to take money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// The money is taken.
    #[default]
    Approves,
    /// The money is not taken.
    Declines,
    /// The request is not even sent, and may be in a minute.
    IsCutOff,
    /// The money is not taken, and nobody says so.
    Fails,
    /// The money is taken, and nobody says so.
    TakesSilently,
    /// Nobody answers; the request arrives when [`MemoryGateway::arrive`] is called.
    IsLate,
}

/// A gateway elsewhere.
#[derive(Debug, Default)]
pub struct MemoryGateway {
    /// What it does with the next requests.
    pub behaviour: Cell<Behaviour>,
    /// How many of the next undos it does not answer.
    pub refused_undos: Cell<u32>,
    /// How often it was asked to take money.
    pub asked: Cell<u32>,
    /// How often it was asked to return money.
    pub undone: Cell<u32>,
    held: RefCell<BTreeSet<ReservationId>>,
    on_their_way: RefCell<Vec<ReservationId>>,
}

impl MemoryGateway {
    /// Whether it holds the money of a reservation.
    #[must_use]
    pub fn holds(&self, id: ReservationId) -> bool {
        self.held.borrow().contains(&id)
    }

    /// Lets the requests arrive that are on their way.
    pub fn arrive(&self) {
        self.held.borrow_mut().extend(self.on_their_way.take());
    }
}

impl Gateway for MemoryGateway {
    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> Approval {
        let behaviour = self.behaviour.get();
        if behaviour != Behaviour::IsCutOff {
            self.asked.set(self.asked.get() + 1);
        }
        let id = order.reservation;
        let silence = Approval::Unknown(Silence::new("the gateway does not answer"));
        match behaviour {
            Behaviour::Approves => {
                self.held.borrow_mut().insert(id);
                Approval::Approved
            }
            Behaviour::Declines => Approval::Declined,
            Behaviour::IsCutOff => Approval::NotAsked(Silence {
                why: "the gateway is cut off".into(),
                retry_after: Some(60),
            }),
            Behaviour::Fails => silence,
            Behaviour::TakesSilently => {
                self.held.borrow_mut().insert(id);
                silence
            }
            Behaviour::IsLate => {
                self.on_their_way.borrow_mut().push(id);
                silence
            }
        }
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        self.undone.set(self.undone.get() + 1);
        if let Some(left) = self.refused_undos.get().checked_sub(1) {
            self.refused_undos.set(left);
            return Err(NotUndone("the gateway does not answer".into()));
        }
        self.held.borrow_mut().remove(&id);
        Ok(())
    }
}

/// A borrowed gateway is a gateway.
impl<G: Gateway> Gateway for &G {
    fn is_remote(&self) -> bool {
        (**self).is_remote()
    }

    async fn approve(&self, order: &Order) -> Approval {
        (**self).approve(order).await
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        (**self).undo(id).await
    }
}
