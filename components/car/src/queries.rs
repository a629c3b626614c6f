//! What may be asked about cars. By number a page costs as many reads as it has rows; any other
//! order reads the whole fleet, because heavy questions belong to the view.

use crate::{
    Fleet,
    domain::{Car, Refusal},
};
use events::CarId;
use kit::{
    ChangeError, Platform, Versioned,
    http::paging::Page,
    numbering::{self, lost},
};
use std::cmp::Ordering;

/// The columns that a list of cars can be sorted by.
pub const COLUMNS: [&str; 4] = ["carId", "carName", "carType", "amount"];

/// One car of the fleet.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a number that no car has, or has any more.
pub async fn car<P: Platform>(
    fleet: &Fleet<P>,
    id: CarId,
) -> Result<Versioned<Car>, ChangeError<Refusal>> {
    let unknown = ChangeError::Refused(Refusal::Unknown(id));
    match fleet.find(id).await? {
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
    fleet: &Fleet<P>,
    page: &Page,
) -> Result<(Vec<Car>, u64), ChangeError<Refusal>> {
    let numbers = numbering::numbers(&fleet.platform).await?;
    let by_number = page.sort.first().is_none_or(|sort| sort.column == "carId");
    if by_number {
        let descending = page.sort.first().is_some_and(|sort| sort.descending);
        let ids = numbers.page(page.offset(), page.size, descending);
        return Ok((load(fleet, ids).await?, numbers.count()));
    }
    let mut cars = load(fleet, numbers.ascending()).await?;
    let total = cars.len() as u64;
    cars.sort_by(|one, other| compare(page, one, other));
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    Ok((cars.into_iter().skip(offset).take(size).collect(), total))
}

async fn load<P: Platform>(
    fleet: &Fleet<P>,
    ids: impl IntoIterator<Item = u64>,
) -> Result<Vec<Car>, ChangeError<Refusal>> {
    let mut cars = Vec::new();
    for id in ids {
        match fleet.find::<Refusal>(CarId(id)).await?.map(|car| car.state) {
            // Deleted, but a crash kept its number in the pages.
            Some(Car::Gone { id }) => fleet.retire(id).await?,
            Some(car) => cars.push(car),
            // Registered at this very moment, or a crash took the number. Should this fail, the next
            // list that meets it does it.
            None => {
                let _ = lost::suspect(&fleet.platform, id).await;
            }
        }
    }
    Ok(cars)
}

/// The order that the page asks for, and then by number, so that pages lose and repeat nothing.
fn compare(page: &Page, one: &Car, other: &Car) -> Ordering {
    let by_column = |column: &str| match (one.details(), other.details()) {
        (Ok(one), Ok(other)) => match column {
            "carName" => one.name.cmp(&other.name),
            "carType" => one.kind.cmp(&other.kind),
            "amount" => one.amount.cmp(&other.amount),
            _ => Ordering::Equal,
        },
        _ => Ordering::Equal,
    };
    page.sort
        .iter()
        .map(|sort| {
            let order = match sort.column {
                "carId" => one.id().cmp(&other.id()),
                column => by_column(column),
            };
            if sort.descending {
                order.reverse()
            } else {
                order
            }
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.id().cmp(&other.id()))
}
