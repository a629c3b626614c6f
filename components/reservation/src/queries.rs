//! Queries about reservations: one reservation, or a page ([`kit::listing`] states the cost).

use crate::{
    domain::{Refusal, Reservation},
    ports::ReservationPorts,
};
use events::ReservationId;
use kit::{ChangeError, Lookup, Platform, Versioned, http::paging::Page, listing};
use std::cmp::Ordering;

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
/// [`ChangeError`] when the store fails.
pub async fn reservations<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    page: &Page,
) -> Result<(Vec<Reservation>, u64), ChangeError<Refusal>> {
    let look_up = async |number| {
        let found = ports.reservations().find(ReservationId(number)).await?;
        Ok::<_, ChangeError<Refusal>>(
            found.map_or(Lookup::Missing, |found| Lookup::Found(found.state)),
        )
    };
    listing::list(&ports.platform, page, "rsvId", look_up, compare).await
}

fn compare(column: &str, one: &Reservation, other: &Reservation) -> Ordering {
    match column {
        "carId" => one.car.cmp(&other.car),
        "payId" => one.stage.payment().cmp(&other.stage.payment()),
        _ => one.stage.as_str().cmp(other.stage.as_str()),
    }
}
