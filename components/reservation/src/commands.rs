//! What a customer may ask: reserve a car, give a reservation up.

mod request_cancellation;
mod reserve;

pub use request_cancellation::request_cancellation;
pub use reserve::{Reserved, reserve};
