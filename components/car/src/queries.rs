//! What may be asked about cars: one of them, or a page ([`kit::listing`] says what it costs).

use crate::{
    CarRepository,
    domain::{Car, Refusal},
};
use events::CarId;
use kit::{ChangeError, Lookup, Platform, Versioned, http::paging::Page, listing};
use std::cmp::Ordering;

/// The columns that a list of cars can be sorted by.
pub const COLUMNS: [&str; 4] = ["carId", "carName", "carType", "amount"];

/// One car of the fleet.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a number that no car has, or has any more.
pub async fn car<P: Platform>(
    cars: &CarRepository<P>,
    id: CarId,
) -> Result<Versioned<Car>, ChangeError<Refusal>> {
    let unknown = ChangeError::Refused(Refusal::Unknown(id));
    match cars.find(id).await? {
        Some(car) if car.state.details().is_ok() => Ok(car),
        _ => Err(unknown),
    }
}

/// One page of the fleet, and how many cars there are.
///
/// # Errors
///
/// What the store cannot do.
pub async fn cars<P: Platform>(
    cars: &CarRepository<P>,
    page: &Page,
) -> Result<(Vec<Car>, u64), ChangeError<Refusal>> {
    let look_up = async |number| {
        let car = cars.find::<Refusal>(CarId(number)).await?;
        Ok(match car.map(|car| car.state) {
            // Deleted, but a crash kept its number in the pages.
            Some(Car::Deleted { .. }) => Lookup::Deleted,
            Some(car) => Lookup::Found(car),
            None => Lookup::Missing,
        })
    };
    listing::list(&cars.platform, page, "carId", look_up, compare).await
}

fn compare(column: &str, one: &Car, other: &Car) -> Ordering {
    let (Ok(one), Ok(other)) = (one.details(), other.details()) else {
        return Ordering::Equal;
    };
    match column {
        "carName" => one.name.cmp(&other.name),
        "carType" => one.kind.cmp(&other.kind),
        _ => one.amount.cmp(&other.amount),
    }
}
