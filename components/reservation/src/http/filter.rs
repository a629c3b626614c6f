//! The filter of a list of reservations: `carId`.

use events::CarId;
use kit::{
    http::{Problem, paging::Page},
    number_index::Order,
};

/// The car whose reservations are asked for.
///
/// # Errors
///
/// 400 for another parameter, a second `carId`, or one that is no number.
pub(super) fn car(page: &Page) -> Result<Option<CarId>, Problem> {
    let mut car = None;
    for (name, value) in page.filters() {
        if name != "carId" {
            let right = format!(
                "`{name}` is not a parameter of this list: it has carId, page, size and sort"
            );
            return Err(Problem::bad_query(name, right));
        }
        if car.is_some() {
            return Err(Problem::given_twice(name));
        }
        let number = value.parse::<CarId>();
        let right = "carId must be a whole number from 1, in plain digits";
        car = Some(number.map_err(|_| Problem::bad_query(name, right))?);
    }
    Ok(car)
}

/// The order of the reservations of one car.
///
/// # Errors
///
/// 400 for another column than the number.
pub(super) fn order(page: &Page) -> Result<Order, Problem> {
    let Some(sort) = page.sort.first() else {
        return Ok(Order::Ascending);
    };
    match (sort.column, sort.descending) {
        ("rsvId", false) => Ok(Order::Ascending),
        ("rsvId", true) => Ok(Order::Descending),
        (column, _) => Err(Problem::bad_query(
            "sort",
            format!("the reservations of one car can be sorted by rsvId, not by {column}"),
        )),
    }
}
