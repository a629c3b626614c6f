//! One page of numbered aggregates, in any order.
//!
//! In the order of the numbers a page costs one read per row, for any number of aggregates. Any other order reads
//! every aggregate: frequent queries in such an order belong to the read model.

use crate::{
    http::paging::Page,
    numbering::{self, orphans},
    platform::Platform,
    store::StoreError,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::cmp::Ordering;

/// Number of concurrent reads: enough to hide the latency of a remote store.
const CONCURRENT_READS: usize = 16;

/// The result of a lookup by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<T> {
    /// The aggregate.
    Found(T),
    /// The number has no aggregate and never will have one.
    Deleted,
    /// The number has no aggregate yet: its creation is in progress, or a crash left the number unused.
    Missing,
}

impl<T> Lookup<T> {
    /// Converts the aggregate, if it is found.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Lookup<U> {
        match self {
            Self::Found(row) => Lookup::Found(convert(row)),
            Self::Deleted => Lookup::Deleted,
            Self::Missing => Lookup::Missing,
        }
    }
}

/// The rows of `page`, and the total number of rows. `id` is the name of the column that holds the
/// number, `look_up` reads the row of a number, and `compare` compares two rows by any other column.
/// Rows that compare as equal are in the order of their numbers, so that no page loses or repeats a row.
///
/// # Errors
///
/// The store failed, or `look_up` did.
pub async fn list<P: Platform, T, E: From<StoreError>>(
    platform: &P,
    page: &Page,
    id: &str,
    look_up: impl AsyncFn(u64) -> Result<Lookup<T>, E>,
    compare: impl Fn(&str, &T, &T) -> Ordering,
) -> Result<(Vec<T>, u64), E> {
    let numbers = numbering::live_numbers(platform).await?;
    if page.sort.first().is_none_or(|sort| sort.column == id) {
        let of_page = match page.sort.first().is_some_and(|sort| sort.descending) {
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

/// Reads the rows of the numbers, retires the deleted numbers and stores a suspicion for each missing
/// one.
async fn read<P: Platform, T, E: From<StoreError>>(
    platform: &P,
    numbers: Vec<u64>,
    look_up: impl AsyncFn(u64) -> Result<Lookup<T>, E>,
) -> Result<Vec<(u64, T)>, E> {
    let mut lookups = stream::iter(numbers)
        .map(async |number| Ok::<_, E>((number, look_up(number).await?)))
        .buffered(CONCURRENT_READS);
    let mut rows = Vec::new();
    while let Some((number, lookup)) = lookups.try_next().await? {
        match lookup {
            Lookup::Found(row) => rows.push((number, row)),
            // If one of these fails, the next list that reads the number repeats it.
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
    let by_column = |column: &str| match column == id {
        true => one.0.cmp(&other.0),
        false => compare(column, &one.1, &other.1),
    };
    page.sort
        .iter()
        .map(|sort| match sort.descending {
            true => by_column(sort.column).reverse(),
            false => by_column(sort.column),
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.0.cmp(&other.0))
}
