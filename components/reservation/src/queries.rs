//! What may be asked about reservations. By number a page costs as many reads as it has rows; any
//! other order reads all of them, because heavy questions belong to the view.

use crate::{
    Desk,
    domain::{Refusal, Reservation},
};
use events::ReservationId;
use kit::{
    ChangeError, Platform, Versioned,
    http::paging::Page,
    numbering::{self, lost},
};
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
    let numbers = numbering::numbers(&desk.platform).await?;
    let by_number = page.sort.first().is_none_or(|sort| sort.column == "rsvId");
    if by_number {
        let descending = page.sort.first().is_some_and(|sort| sort.descending);
        let ids = numbers.page(page.offset(), page.size, descending);
        return Ok((load(desk, ids).await?, numbers.count()));
    }
    let mut reservations = load(desk, numbers.ascending()).await?;
    let total = reservations.len() as u64;
    reservations.sort_by(|one, other| compare(page, one, other));
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    Ok((
        reservations.into_iter().skip(offset).take(size).collect(),
        total,
    ))
}

async fn load<P: Platform, C, Y>(
    desk: &Desk<P, C, Y>,
    ids: impl IntoIterator<Item = u64>,
) -> Result<Vec<Reservation>, ChangeError<Refusal>> {
    let mut reservations = Vec::new();
    for id in ids {
        match desk.find(ReservationId(id)).await? {
            Some(found) => reservations.push(found.state),
            // Being made at this very moment, or a crash took the number. Should this fail, the next
            // list that meets it does it.
            None => {
                let _ = lost::suspect(&desk.platform, id).await;
            }
        }
    }
    Ok(reservations)
}

/// The order that the page asks for, and then by number, so that pages lose and repeat nothing.
fn compare(page: &Page, one: &Reservation, other: &Reservation) -> Ordering {
    let by_column = |column: &str| match column {
        "rsvId" => one.id.cmp(&other.id),
        "carId" => one.car.cmp(&other.car),
        "payId" => one.stage.payment().cmp(&other.stage.payment()),
        _ => one.stage.as_str().cmp(other.stage.as_str()),
    };
    page.sort
        .iter()
        .map(|sort| {
            let order = by_column(sort.column);
            if sort.descending {
                order.reverse()
            } else {
                order
            }
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.id.cmp(&other.id))
}
