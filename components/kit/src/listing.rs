//! One page of numbered things, in any order.
//!
//! By number a page costs as many reads as it has rows, whatever the size of the fleet. Any other
//! order reads everything: heavy questions belong to the view.

use crate::{
    Platform, StoreError,
    http::paging::Page,
    numbering::{self, orphans},
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::cmp::Ordering;

/// Reads that are under way at the same time: enough to hide a server's distance.
const READS: usize = 16;

/// Where a number leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// To this.
    Found(T),
    /// To nothing, and never will.
    Deleted,
    /// To nothing yet: it is being made at this very moment, or a crash took the number.
    Missing,
}

impl<T> Lookup<T> {
    /// The same lead to something made of what it leads to.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(row) => Lookup::Found(make(row)),
            Self::Deleted => Lookup::Deleted,
            Self::Missing => Lookup::Missing,
        }
    }
}

/// The rows of `page`, and how many there are in all. `id` is the column that holds the number,
/// `lead` follows a number, and `compare` compares two rows by any other column. Ties are broken by
/// number, so that pages lose and repeat nothing.
///
/// # Errors
///
/// The store's silence, and what `lead` says.
pub async fn list<P: Platform, T, E: From<StoreError>>(
    platform: &P,
    page: &Page,
    id: &str,
    look_up: impl AsyncFn(u64) -> Result<Lookup<T>, E>,
    compare: impl Fn(&str, &T, &T) -> Ordering,
) -> Result<(Vec<T>, u64), E> {
    let numbers = numbering::live_numbers(platform).await?;
    if page.sort.first().is_none_or(|sort| sort.column == id) {
        let descending = page.sort.first().is_some_and(|sort| sort.descending);
        let of_page = match descending {
            true => numbers.descending_page(page.offset(), page.size),
            false => numbers.ascending_page(page.offset(), page.size),
        };
        let rows = read(platform, of_page, look_up).await?;
        return Ok((rows.into_iter().map(|row| row.1).collect(), numbers.count()));
    }
    let mut rows = read(platform, numbers.ascending().collect(), look_up).await?;
    let total = rows.len() as u64;
    rows.sort_by(|one, other| order(page, id, &compare, one, other));
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let of_page = rows.into_iter().skip(offset).take(size);
    Ok((of_page.map(|row| row.1).collect(), total))
}

/// Follows the numbers, and remembers which of them lead nowhere.
async fn read<P: Platform, T, E: From<StoreError>>(
    platform: &P,
    numbers: Vec<u64>,
    look_up: impl AsyncFn(u64) -> Result<Lookup<T>, E>,
) -> Result<Vec<(u64, T)>, E> {
    let mut lookups = stream::iter(numbers)
        .map(async |number| Ok::<_, E>((number, look_up(number).await?)))
        .buffered(READS);
    let mut rows = Vec::new();
    while let Some((number, lookup)) = lookups.try_next().await? {
        match lookup {
            Lookup::Found(row) => rows.push((number, row)),
            // Should this fail, the next list that meets the number does it.
            Lookup::Deleted => {
                let _ = numbering::retire(platform, number).await;
            }
            Lookup::Missing => {
                let _ = orphans::suspect(platform, number).await;
            }
        }
    }
    Ok(rows)
}

fn order<T>(
    page: &Page,
    id: &str,
    compare: impl Fn(&str, &T, &T) -> Ordering,
    one: &(u64, T),
    other: &(u64, T),
) -> Ordering {
    let by_column = |column: &str| {
        if column == id {
            one.0.cmp(&other.0)
        } else {
            compare(column, &one.1, &other.1)
        }
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
        .unwrap_or_else(|| one.0.cmp(&other.0))
}
