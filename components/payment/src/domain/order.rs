//! What is to be paid, and what was paid.

use super::gateway_id::GatewayId;
use events::{CarId, CustomerId, PaymentId, ReservationId};

/// What is to be paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The reservation that is paid.
    pub reservation: ReservationId,
    /// The reserved car.
    pub car: CarId,
    /// The amount, in won.
    pub amount: u64,
    /// The customer; `None` if the payment belongs to the company.
    pub customer: Option<CustomerId>,
}

/// What was paid, under which number, and to which gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The payment's number.
    pub id: PaymentId,
    /// What was paid.
    pub order: Order,
    /// The gateway that took the money; `None` if an older version recorded the payment.
    pub gateway: Option<GatewayId>,
}
