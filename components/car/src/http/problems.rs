//! The problem document of each refusal.

use crate::domain::Refusal;
use kit::http::Problem;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // The member tells a program that the car is unknown, and not the path.
            Refusal::Unknown(id) => {
                Self::not_found(format!("there is no car {id}")).member("carId", id.0)
            }
            Refusal::NotAvailable(id) => Self::conflict(
                "car-not-available",
                "The car is not available",
                format!("car {id} is booked; choose another or try again later"),
            ),
            Refusal::Booked(id) => Self::conflict(
                "car-booked",
                "The car has a booking",
                format!("car {id} has a live booking; cancel its reservation first"),
            ),
        }
    }
}
