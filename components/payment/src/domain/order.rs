//! What is to be paid, and what was paid.

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

/// What was paid, and under which number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The payment's number.
    pub id: PaymentId,
    /// What was paid.
    pub order: Order,
}
