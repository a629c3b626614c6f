//! A limit on the bytes that the host holds on behalf of others, until they take the bytes or give them up.
//!
//! The memory of a guest is bounded, so the memory that a guest makes its host use must be bounded too: values that a
//! compare-and-swap remembers, rows and keys that are read one by one. The budget of an instance is the size of its own
//! memory. The bodies of all requests that are being received share another budget.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of bytes that reservations share.
#[derive(Clone)]
pub struct ByteBudget(Arc<Semaphore>);

/// Bytes of a budget, reserved until the value is dropped.
pub struct ByteReservation(OwnedSemaphorePermit);

/// The reservation is larger than the rest of the budget.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the host already holds as many bytes for this component as it may")]
pub struct ByteBudgetExceeded;

impl ByteBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// If less than `bytes` is left, or if `bytes` does not fit into 32 bits.
    pub fn reserve(&self, bytes: usize) -> Result<ByteReservation, ByteBudgetExceeded> {
        let bytes = u32::try_from(bytes).map_err(|_| ByteBudgetExceeded)?;
        let permit = self.0.clone().try_acquire_many_owned(bytes);
        permit.map(ByteReservation).map_err(|_| ByteBudgetExceeded)
    }
}

impl ByteReservation {
    /// Adds the bytes of another reservation of the same budget.
    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_reservation_returns_its_bytes() {
        let budget = ByteBudget::new(10);
        let mut reservation = budget.reserve(7).unwrap();
        reservation.merge(budget.reserve(1).unwrap());
        assert!(budget.reserve(3).is_err());
        drop(reservation);
        assert!(budget.reserve(10).is_ok());
        assert!(budget.reserve(usize::MAX).is_err());
    }
}
