//! Queries about reservations: one reservation, a page ([`kit::listing`] states the cost), or the reservations of a list of
//! numbers.

use crate::{
    domain::{Refusal, Reservation},
    ports::ReservationPorts,
    repository::ReservationRepository,
};
use events::{CarId, CustomerId, ReservationId};
use kit::{
    ChangeError, ListError, Lookup, NumberIndex, Platform, ReadError, StoreError, Versioned,
    http::paging::Page,
    listing::{self, Filter, ReadFailure},
    number_index::Order,
    records,
};
use std::{cmp::Ordering, convert::Infallible};

/// The columns that a list of reservations can be sorted by.
pub const COLUMNS: [&str; 4] = ["rsvId", "carId", "payId", "status"];

/// One reservation.
///
/// # Errors
///
/// [`Refusal::Unknown`], and [`ChangeError`] when the store fails.
pub async fn reservation<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    id: ReservationId,
) -> Result<Versioned<Reservation>, ChangeError<Refusal>> {
    let found = ports.reservations().find(id).await?;
    found.ok_or(ChangeError::Refused(Refusal::Unknown(id)))
}

/// One page of the reservations, and the number of all reservations.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn reservations<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    page: &Page,
) -> Result<(Vec<Reservation>, u64), ListError<ChangeError<Refusal>>> {
    let look_up = async |number| {
        let found = ports.reservations().find(ReservationId(number)).await?;
        Ok::<_, ChangeError<Refusal>>(
            found.map_or(Lookup::Missing, |found| Lookup::Found(found.state)),
        )
    };
    listing::list(&ports.platform, page, "rsvId", look_up, compare).await
}

/// One page of the reservations of a customer, of one car or of all cars, and their number. Those of one car are looked up
/// in the shorter list, that of the customer or that of the car.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order or car.
pub async fn reservations_of_customer<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    customer: &CustomerId,
    car: Option<CarId>,
    page: &Page,
) -> Result<(Vec<Reservation>, u64), ListError<ChangeError<Refusal>>> {
    let reservations = ports.reservations();
    let look_up = async |number| {
        let found = reservations.find(ReservationId(number)).await?;
        let of_customer =
            |it: &Versioned<Reservation>| it.state.customer.as_ref() == Some(customer);
        Ok::<_, ChangeError<Refusal>>(found.filter(of_customer).map(|found| found.state))
    };
    let of_customer = reservations.of_customer(customer);
    let Some(car) = car else {
        return listing::list_index(&of_customer, page, "rsvId", look_up, None, compare).await;
    };
    let of_car = reservations.of_car(car);
    let index = shorter(of_customer, of_car)
        .await
        .map_err(ReadFailure::from)?;
    let filter = Filter {
        parameter: "carId",
        matches: &|reservation: &Reservation| reservation.car == car,
    };
    listing::list_index(&index, page, "rsvId", look_up, Some(filter), compare).await
}

/// One page of the reservations of a car, whatever became of them, and their number. The order is that of the numbers.
///
/// # Errors
///
/// [`ChangeError`] when the store fails.
pub async fn reservations_of_car<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    car: CarId,
    page: &Page,
    order: Order,
) -> Result<(Vec<Reservation>, u64), ChangeError<Refusal>> {
    let reservations = ports.reservations();
    let find = async |number| reservations.find::<Refusal>(ReservationId(number)).await;
    let index = reservations.of_car(car);
    let (mut found, total) = index.page(page, order, find).await?;
    // The numbers of concurrent requests may be in the index in another order.
    found.sort_by_key(|(number, _)| *number);
    if order == Order::Descending {
        found.reverse();
    }
    let found = found.into_iter().map(|(_, found)| found.state);
    Ok((found.collect(), total))
}

/// The reservations with these numbers.
///
/// # Errors
///
/// [`ReadError`] for more than [`records::MAX_NUMBERS`] numbers, and when the store fails.
pub async fn reservations_of<P: Platform>(
    reservations: &ReservationRepository<'_, P>,
    numbers: &[u64],
) -> Result<Vec<Versioned<Reservation>>, ReadError> {
    let find = async |number| reservations.find::<Infallible>(ReservationId(number)).await;
    records::read(numbers, find).await
}

/// The index with fewer entries.
async fn shorter<'a, P: Platform>(
    one: NumberIndex<'a, P>,
    other: NumberIndex<'a, P>,
) -> Result<NumberIndex<'a, P>, StoreError> {
    Ok(match other.count().await? < one.count().await? {
        true => other,
        false => one,
    })
}

fn compare(column: &str, one: &Reservation, other: &Reservation) -> Ordering {
    match column {
        "carId" => one.car.cmp(&other.car),
        "payId" => one.stage.payment().cmp(&other.stage.payment()),
        _ => one.stage.as_str().cmp(other.stage.as_str()),
    }
}
