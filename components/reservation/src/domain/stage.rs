//! The stage of a reservation's saga, and what is known in each stage.

use super::rejection_reason::RejectionReason;
use events::PaymentId;

/// The stage of the saga.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Requested: the car is being held and the payment approved.
    Requested,
    /// Paid and confirmed.
    Reserved {
        /// The payment of the reservation.
        payment: PaymentId,
    },
    /// The customer requested the cancellation; the refund is pending.
    CancelRequested {
        /// The payment that is refunded.
        payment: PaymentId,
    },
    /// Cancelled and refunded. Final.
    Cancelled {
        /// The payment that was refunded.
        payment: PaymentId,
    },
    /// Rejected. Final.
    Rejected {
        /// Why.
        reason: RejectionReason,
    },
}

impl Stage {
    /// The `status` that is stored, published and returned over HTTP.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Requested => "reqReserve",
            Self::Reserved { .. } => "reserved",
            Self::CancelRequested { .. } => "reqCancel",
            Self::Cancelled { .. } => "cancelled",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// The payment of the reservation, also after its refund.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        match *self {
            Self::Reserved { payment }
            | Self::CancelRequested { payment }
            | Self::Cancelled { payment } => Some(payment),
            Self::Requested | Self::Rejected { .. } => None,
        }
    }

    /// Why the reservation was rejected.
    #[must_use]
    pub fn reason(&self) -> Option<RejectionReason> {
        match *self {
            Self::Rejected { reason } => Some(reason),
            _ => None,
        }
    }
}
