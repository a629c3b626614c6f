//! Why a car refuses a command.

use events::CarId;

/// Why a car refuses a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No such car exists, or it was deleted.
    Unknown(CarId),
    /// Another booking overlaps, or the hold was released before it arrived.
    NotAvailable(CarId),
    /// A car with a booking cannot be deleted.
    Booked(CarId),
}
