//! The built-in gateway: approves whatever is not above the limit, and keeps no books of its own.
//! Its answer is a comparison, so that nothing about it can be lost.

use crate::{
    domain::{Order, Silence},
    ports::{Approval, Gateway, NotUndone},
};
use events::ReservationId;

/// The gateway of an installation that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The highest amount in won, if there is one; or the text that was meant to be it.
    limit: Result<Option<u64>, String>,
}

impl Ledger {
    /// A ledger with the limit that a variable states in won; an empty one means no limit.
    #[must_use]
    pub fn new(limit: &str) -> Self {
        let limit = match limit.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| text.to_owned()),
        };
        Self { limit }
    }
}

impl Gateway for Ledger {
    fn is_remote(&self) -> bool {
        false
    }

    async fn approve(&self, order: &Order) -> Approval {
        match &self.limit {
            Ok(Some(limit)) if order.amount > *limit => Approval::Declined,
            Ok(_) => Approval::Approved,
            // Guessing a limit would take money that should not be taken, or refuse all of it.
            Err(text) => Approval::NotAsked(Silence::new(format!(
                "the variable payment_limit is `{text}`, where an amount in won belongs"
            ))),
        }
    }

    async fn undo(&self, _: ReservationId) -> Result<(), NotUndone> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::CarId;
    use futures::executor::block_on;

    fn approve(limit: &str, amount: u64) -> Approval {
        let order = Order {
            reservation: ReservationId(1),
            car: CarId(1),
            amount,
        };
        block_on(Ledger::new(limit).approve(&order))
    }

    #[test]
    fn amounts_above_the_limit_are_declined() {
        assert_eq!(approve("100", 100), Approval::Approved);
        assert_eq!(approve(" 100 ", 101), Approval::Declined);
        assert_eq!(approve("0", 0), Approval::Approved);
    }

    #[test]
    fn no_limit_approves_everything() {
        assert_eq!(approve("", u64::MAX), Approval::Approved);
    }

    #[test]
    fn a_limit_that_is_no_amount_approves_nothing() {
        for text in ["1e6", "-1", "lots"] {
            let approval = approve(text, 1);
            assert!(
                matches!(approval, Approval::NotAsked(Silence { why, .. }) if why.contains(text))
            );
        }
    }
}
