//! Queries about cars: one car, a page ([`kit::listing`] states the cost), or the cars of a list of numbers.

use crate::{
    domain::{Car, Refusal},
    repository::CarRepository,
};
use events::CarId;
use kit::{
    ChangeError, ListError, Lookup, Platform, ReadError, Versioned, http::paging::Page, listing,
    records,
};
use std::{cmp::Ordering, convert::Infallible};

/// The columns that a list of cars can be sorted by.
pub const COLUMNS: [&str; 4] = ["carId", "carName", "carType", "amount"];

/// One car.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a number without a car, and [`ChangeError`] when the store fails.
pub async fn car<P: Platform>(
    cars: &CarRepository<P>,
    id: CarId,
) -> Result<Versioned<Car>, ChangeError<Refusal>> {
    match cars.find(id).await? {
        Some(car) if car.state.details().is_ok() => Ok(car),
        _ => Err(ChangeError::Refused(Refusal::Unknown(id))),
    }
}

/// One page of the cars, and the number of all cars.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn cars<P: Platform>(
    cars: &CarRepository<P>,
    page: &Page,
) -> Result<(Vec<Car>, u64), ListError<ChangeError<Refusal>>> {
    let look_up = async |number| {
        let car = cars.find::<Refusal>(CarId(number)).await?;
        Ok::<_, ChangeError<Refusal>>(match car.map(|car| car.state) {
            // A crash after the deletion left the number in the pages.
            Some(Car::Deleted { .. }) => Lookup::Deleted,
            Some(car) => Lookup::Found(car),
            None => Lookup::Missing,
        })
    };
    listing::list(&cars.platform, page, "carId", look_up, compare).await
}

/// The cars with these numbers, deleted ones included.
///
/// # Errors
///
/// [`ReadError`] for more than [`records::MAX_NUMBERS`] numbers, and when the store fails.
pub async fn cars_of<P: Platform>(
    cars: &CarRepository<P>,
    numbers: &[u64],
) -> Result<Vec<Versioned<Car>>, ReadError> {
    let find = async |number| cars.find::<Infallible>(CarId(number)).await;
    records::read(numbers, find).await
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
