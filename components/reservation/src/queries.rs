//! What may be asked about reservations: one of them, or a page ([`kit::listing`] says what it
//! costs).

use crate::{
    Desk,
    domain::{Refusal, Reservation},
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
/// [`Refusal::Unknown`], and what the store cannot do.
pub async fn reservation<P: Platform, C, Y>(
    desk: &Desk<P, C, Y>,
    id: ReservationId,
) -> Result<Versioned<Reservation>, ChangeError<Refusal>> {
    let found = desk.find(id).await?;
    found.ok_or(ChangeError::Refused(Refusal::Unknown(id)))
}

/// One page of reservations, and how many there are.
///
/// # Errors
///
/// What the store cannot do.
pub async fn reservations<P: Platform, C, Y>(
    desk: &Desk<P, C, Y>,
    page: &Page,
) -> Result<(Vec<Reservation>, u64), ChangeError<Refusal>> {
    let look_up = async |number| {
        let found = desk.find::<Refusal>(ReservationId(number)).await?;
        Ok(found.map_or(Lookup::Missing, |found| Lookup::Found(found.state)))
    };
    listing::list(&desk.platform, page, "rsvId", look_up, compare).await
}

fn compare(column: &str, one: &Reservation, other: &Reservation) -> Ordering {
    match column {
        "carId" => one.car.cmp(&other.car),
        "payId" => one.stage.payment().cmp(&other.stage.payment()),
        _ => one.stage.as_str().cmp(other.stage.as_str()),
    }
}
