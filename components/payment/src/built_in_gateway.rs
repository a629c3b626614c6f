//! The built-in gateway: it approves every amount up to a limit, and stores nothing.
//!
//! Its response is a comparison, so it has no state that a crash could lose.

use crate::{
    domain::{GatewayError, GatewayId, Order},
    ports::{ApprovalOutcome, Gateway, RefundError},
};
use events::ReservationId;

/// The gateway of an installation without a payment provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltInGateway {
    /// The highest approved amount in won, `None` for no limit; or the configured text that is not a number.
    limit: Result<Option<u64>, String>,
}

impl BuiltInGateway {
    /// A gateway whose limit is the text of a variable, in won; an empty text means no limit.
    #[must_use]
    pub fn new(limit: &str) -> Self {
        let limit = match limit.trim() {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| text.to_owned()),
        };
        Self { limit }
    }
}

impl Gateway for BuiltInGateway {
    fn id(&self) -> Option<GatewayId> {
        Some(GatewayId::built_in())
    }

    fn is_remote(&self) -> bool {
        false
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        match &self.limit {
            Ok(Some(limit)) if order.amount > *limit => ApprovalOutcome::Declined,
            Ok(_) => ApprovalOutcome::Approved,
            // A guessed limit would take money that must not be taken, or decline every payment.
            Err(text) => ApprovalOutcome::NotRequested(GatewayError::new(format!(
                "the variable payment_limit is `{text}`, where an amount in won belongs"
            ))),
        }
    }

    async fn refund(&self, _: ReservationId) -> Result<(), RefundError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::CarId;
    use futures::executor::block_on;

    fn approve(limit: &str, amount: u64) -> ApprovalOutcome {
        let order = Order {
            reservation: ReservationId(1),
            car: CarId(1),
            amount,
            customer: None,
        };
        block_on(BuiltInGateway::new(limit).approve(&order))
    }

    #[test]
    fn amounts_above_the_limit_are_declined() {
        assert_eq!(approve("100", 100), ApprovalOutcome::Approved);
        assert_eq!(approve(" 100 ", 101), ApprovalOutcome::Declined);
        assert_eq!(approve("0", 0), ApprovalOutcome::Approved);
    }

    #[test]
    fn without_a_limit_every_amount_is_approved() {
        assert_eq!(approve("", u64::MAX), ApprovalOutcome::Approved);
    }

    #[test]
    fn a_limit_that_is_not_a_number_approves_no_amount() {
        for text in ["1e6", "-1", "lots"] {
            let approval = approve(text, 1);
            assert!(
                matches!(approval, ApprovalOutcome::NotRequested(GatewayError { message, .. }) if message.contains(text))
            );
        }
    }
}
