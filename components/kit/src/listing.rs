//! One page of numbered aggregates, in any order.
//!
//! In the order of the numbers a page costs one read per row, for any number of aggregates. Any other order reads
//! every aggregate, and is therefore limited to short lists: such queries belong to the read model.

use crate::{
    http::{CORRUPT_STATE, Problem, paging::Page},
    number_index::{NumberIndex, Order},
    numbering::{self, LiveNumbers, orphans},
    platform::Platform,
    store::StoreError,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::{cmp::Ordering, collections::BTreeMap};

/// Maximum number of rows of a list that is sorted by another column than the number.
const MAX_SORTED: u64 = 1000;
/// Maximum number of suspected orphans that a list looks up again.
const MAX_RECHECKED: usize = 64;
/// Maximum number of rounds in which a page replaces numbers without a row.
const MAX_ROUNDS: u32 = 12;

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

/// Why a list cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ListError<E> {
    /// The list has too many rows for an order other than that of the numbers.
    #[error("a list of more than {MAX_SORTED} rows can only be sorted by {id}")]
    TooLong {
        /// The column that holds the number.
        id: String,
    },
    /// The list has too many rows for a filter.
    #[error("a list of more than {MAX_SORTED} rows cannot be filtered by {parameter}")]
    TooLongToFilter {
        /// The parameter of the filter.
        parameter: &'static str,
    },
    /// The store failed, or the reading of a row did.
    #[error(transparent)]
    Failed(#[from] ReadFailure<E>),
}

/// Why the store or a row cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct ReadFailure<E> {
    /// The row, such as `carId 3`; `None` if the failure is not of a row.
    row: Option<String>,
    error: E,
}

impl<E> ReadFailure<E> {
    fn of_row(id: &str, number: u64, error: E) -> Self {
        Self {
            row: Some(format!("{id} {number}")),
            error,
        }
    }
}

impl<E: From<StoreError>> From<StoreError> for ReadFailure<E> {
    fn from(error: StoreError) -> Self {
        Self {
            row: None,
            error: error.into(),
        }
    }
}

/// The rows of `page`, and the total number of rows. `id` is the name of the column that holds the
/// number, `look_up` reads the row of a number, and `compare` compares two rows by any other column.
/// Rows that compare as equal are in the order of their numbers, so that no page loses or repeats a row.
///
/// # Errors
///
/// [`ListError`].
pub async fn list<P: Platform, T, E: From<StoreError>>(
    platform: &P,
    page: &Page,
    id: &str,
    look_up: impl AsyncFn(u64) -> Result<Lookup<T>, E>,
    compare: impl Fn(&str, &T, &T) -> Ordering,
) -> Result<(Vec<T>, u64), ListError<E>> {
    let look_up = async |number| {
        let found = look_up(number).await;
        found.map_err(|error| ReadFailure::of_row(id, number, error))
    };
    let numbers = numbering::live_numbers(platform).await;
    let numbers = numbers.map_err(ReadFailure::from)?;
    let mut rows = Rows {
        platform,
        look_up,
        read: BTreeMap::new(),
    };
    let numbers = rows.without_orphans(numbers).await?;
    if page.sort.first().is_none_or(|sort| sort.column == id) {
        let is_descending = page.sort.first().is_some_and(|sort| sort.descending);
        return Ok(rows
            .in_order_of_numbers(page, numbers, is_descending)
            .await?);
    }
    if numbers.count() > MAX_SORTED {
        return Err(ListError::TooLong { id: id.to_owned() });
    }
    rows.read_all(numbers.ascending()).await?;
    let mut rows: Vec<(u64, T)> = rows.read.into_iter().collect();
    let total = rows.len() as u64;
    rows.sort_by(|one, other| order(page, id, &compare, one, other));
    Ok((of_page(page, rows), total))
}

/// A filter of a list.
pub struct Filter<'a, T> {
    /// The parameter that asks for it.
    pub parameter: &'static str,
    /// Whether a row is in the list.
    pub matches: &'a dyn Fn(&T) -> bool,
}

/// The rows of `page` among those that an index names and `filter` accepts, and the total number of them. The other
/// arguments are as in [`list`].
///
/// Up to a fixed number of entries, all rows are read, and the total is exact. A longer index only has pages of all its rows
/// in the order of the numbers, and its total includes what a crash left behind.
///
/// # Errors
///
/// [`ListError`].
pub async fn list_index<P: Platform, T, E: From<StoreError>>(
    index: &NumberIndex<'_, P>,
    page: &Page,
    id: &str,
    look_up: impl AsyncFn(u64) -> Result<Option<T>, E>,
    filter: Option<Filter<'_, T>>,
    compare: impl Fn(&str, &T, &T) -> Ordering,
) -> Result<(Vec<T>, u64), ListError<E>> {
    let look_up = async |number| {
        let found = look_up(number).await;
        found.map_err(|error| ReadFailure::of_row(id, number, error))
    };
    let is_in_order = page.sort.first().is_none_or(|sort| sort.column == id);
    if index.count().await.map_err(ReadFailure::from)? > MAX_SORTED {
        if let Some(Filter { parameter, .. }) = filter {
            return Err(ListError::TooLongToFilter { parameter });
        }
        if !is_in_order {
            return Err(ListError::TooLong { id: id.to_owned() });
        }
        let is_descending = page.sort.first().is_some_and(|sort| sort.descending);
        let order = match is_descending {
            true => Order::Descending,
            false => Order::Ascending,
        };
        let (mut rows, total) = index.page(page, order, look_up).await?;
        // The numbers of concurrent additions may be in the index in another order.
        rows.sort_by_key(|(number, _)| *number);
        if is_descending {
            rows.reverse();
        }
        return Ok((rows.into_iter().map(|row| row.1).collect(), total));
    }
    let mut rows = index.all(look_up).await?;
    if let Some(Filter { matches, .. }) = filter {
        rows.retain(|(_, row)| matches(row));
    }
    let total = rows.len() as u64;
    rows.sort_by(|one, other| order(page, id, &compare, one, other));
    Ok((of_page(page, rows), total))
}

/// The rows of a page, of all rows in their order.
fn of_page<T>(page: &Page, rows: Vec<(u64, T)>) -> Vec<T> {
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    let rows = rows.into_iter().skip(offset).take(size);
    rows.map(|row| row.1).collect()
}

/// The rows that a list has read.
struct Rows<'a, P, T, L> {
    platform: &'a P,
    look_up: L,
    read: BTreeMap<u64, T>,
}

impl<P: Platform, T, E: From<StoreError>, L: AsyncFn(u64) -> Result<Lookup<T>, E>>
    Rows<'_, P, T, L>
{
    /// The numbers without the suspected orphans, unless these have a row by now.
    async fn without_orphans(&mut self, numbers: LiveNumbers) -> Result<LiveNumbers, E> {
        let suspects = orphans::suspects(self.platform).await?;
        let mut missing = Vec::new();
        for (position, number) in suspects.iter().enumerate() {
            let is_missing = position >= MAX_RECHECKED
                || !matches!((self.look_up)(number).await?, Lookup::Found(_));
            missing.extend(is_missing.then_some(number));
        }
        Ok(numbers.without(missing))
    }

    /// A page in the order of the numbers, and the total number of rows. A number without a row is replaced by
    /// the next number, so that only the last page has fewer rows than its size.
    async fn in_order_of_numbers(
        mut self,
        page: &Page,
        mut numbers: LiveNumbers,
        is_descending: bool,
    ) -> Result<(Vec<T>, u64), E> {
        let mut of_page = Vec::new();
        for round in 0..MAX_ROUNDS {
            // Each round looks further ahead, so that many numbers without a row in a row take few rounds.
            let ahead = (1 << round) - 1;
            of_page = match is_descending {
                true => numbers.descending_page(page.offset(), page.size + ahead),
                false => numbers.ascending_page(page.offset(), page.size + ahead),
            };
            let without_row = self.read_all(of_page.iter().copied()).await?;
            if without_row.is_empty() {
                break;
            }
            of_page.retain(|number| !without_row.contains(number));
            numbers = numbers.without(without_row);
            if of_page.len() as u64 >= page.size {
                break;
            }
        }
        of_page.truncate(usize::try_from(page.size).unwrap_or(usize::MAX));
        let rows = of_page.iter().filter_map(|number| self.read.remove(number));
        Ok((rows.collect(), numbers.count()))
    }

    /// Reads the rows of the numbers that are not read yet, and returns the numbers without a row: it retires
    /// the deleted ones, and stores a suspicion for each missing one.
    async fn read_all(&mut self, numbers: impl Iterator<Item = u64>) -> Result<Vec<u64>, E> {
        let unread: Vec<u64> = numbers.filter(|one| !self.read.contains_key(one)).collect();
        let look_up = &self.look_up;
        let mut lookups = stream::iter(unread)
            .map(async |number| Ok::<_, E>((number, look_up(number).await?)))
            .buffered(CONCURRENT_READS);
        let mut without_row = Vec::new();
        while let Some((number, lookup)) = lookups.try_next().await? {
            match lookup {
                Lookup::Found(row) => {
                    self.read.insert(number, row);
                    continue;
                }
                // If one of these fails, the next list that reads the number repeats it.
                Lookup::Deleted => {
                    let _ = numbering::retire(self.platform, number).await;
                }
                Lookup::Missing => {
                    let _ = orphans::suspect(self.platform, number).await;
                }
            }
            without_row.push(number);
        }
        Ok(without_row)
    }
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

impl<E: Into<Problem>> From<ListError<E>> for Problem {
    fn from(error: ListError<E>) -> Self {
        match error {
            ListError::TooLong { id } => Self::bad_query(
                "sort",
                format!(
                    "this list has more than {MAX_SORTED} rows, and can only be sorted by {id}; /carviews sorts \
                     any number of cars by any column"
                ),
            ),
            ListError::TooLongToFilter { parameter } => Self::bad_query(
                parameter,
                format!(
                    "this list has more than {MAX_SORTED} rows, and cannot be filtered; read its pages without {parameter}"
                ),
            ),
            ListError::Failed(ReadFailure { row, error }) => match (error.into(), row) {
                // A page without the row would say that it does not exist.
                (problem, Some(row)) if problem.slug == CORRUPT_STATE => problem.with_detail(format!(
                    "the stored state of the row with {row} cannot be read; its operator has to repair it, and pages \
                     without it can be read"
                )),
                (problem, _) => problem,
            },
        }
    }
}

#[cfg(test)]
mod tests;
