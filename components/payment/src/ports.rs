//! What this context needs from outside: somebody who takes the money, and gives it back.

#![expect(
    async_fn_in_trait,
    reason = "guests run on one thread: no future here needs to be Send"
)]

use crate::domain::{Order, Silence};
use events::ReservationId;

/// What became of a request to take money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The money is taken.
    Approved,
    /// It is not, and will not be.
    Declined,
    /// Nobody asked the gateway for it: there is nothing to return.
    NotAsked(Silence),
    /// Nobody can say.
    Unknown(Silence),
}

/// The gateway did not confirm that it holds no money; why, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUndone(pub String);

/// Who takes the money. It knows a payment by its reservation: approving twice takes the money
/// once, and undoing is possible without knowing whether anything was taken.
pub trait Gateway {
    /// Whether asking it is a call that can be cut off with its outcome unknown, and that therefore
    /// needs to be noted.
    fn is_remote(&self) -> bool;
    /// Takes the money.
    async fn approve(&self, order: &Order) -> Approval;
    /// Returns what was taken, if anything was.
    async fn undo(&self, reservation: ReservationId) -> Result<(), NotUndone>;
}
