//! An index from a value to the numbers of the aggregates that have it, for pages of any length.
//!
//! A counter and one entry for each number: an addition costs two writes, however many numbers there are, and no
//! comparison. An addition that is repeated after a crash leaves a second entry, which a page skips. The entries are in
//! the order of the additions, which for concurrent ones can differ from the order of the numbers.

use crate::{
    http::paging::Page,
    platform::Platform,
    store::{Store, StoreError},
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::{fmt::Display, ops::Range};

/// Number of concurrent reads.
const CONCURRENT_READS: usize = 16;

/// The numbers of the aggregates that have one value.
pub struct NumberIndex<'a, P> {
    platform: &'a P,
    prefix: String,
}

impl<'a, P: Platform> NumberIndex<'a, P> {
    /// The index `name` for `value`.
    pub fn new(platform: &'a P, name: &str, value: impl Display) -> Self {
        Self {
            platform,
            prefix: format!("index/{name}/{value}"),
        }
    }

    /// Adds a number.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn add(&self, number: u64) -> Result<(), StoreError> {
        let store = self.platform.state();
        let position = store.increment(&self.counter(), 1).await?;
        store
            .set(&self.entry(position), number.to_string().as_bytes())
            .await
    }

    /// The number of all entries.
    ///
    /// # Errors
    ///
    /// The store failed.
    pub async fn count(&self) -> Result<u64, StoreError> {
        let total = self.platform.state().increment(&self.counter(), 0).await?;
        Ok(u64::try_from(total).unwrap_or(0))
    }

    /// The rows of one page with their numbers, and the number of all entries. `look_up` reads the row of a number, and
    /// a number without a row is skipped.
    ///
    /// # Errors
    ///
    /// The store failed, or a row cannot be read.
    pub async fn page<T, E: From<StoreError>>(
        &self,
        page: &Page,
        order: Order,
        look_up: impl AsyncFn(u64) -> Result<Option<T>, E>,
    ) -> Result<(Vec<(u64, T)>, u64), E> {
        let total = self.count().await?;
        let from = page.offset().min(total);
        let to = from.saturating_add(page.size).min(total);
        let rows = self.rows(from..to, total, order, look_up).await?;
        Ok((rows, total))
    }

    /// All rows with their numbers.
    ///
    /// # Errors
    ///
    /// The store failed, or a row cannot be read.
    pub async fn all<T, E: From<StoreError>>(
        &self,
        look_up: impl AsyncFn(u64) -> Result<Option<T>, E>,
    ) -> Result<Vec<(u64, T)>, E> {
        let total = self.count().await?;
        self.rows(0..total, total, Order::Ascending, look_up).await
    }

    /// The rows of the entries in this range of `total` entries; each number once.
    async fn rows<T, E: From<StoreError>>(
        &self,
        range: Range<u64>,
        total: u64,
        order: Order,
        look_up: impl AsyncFn(u64) -> Result<Option<T>, E>,
    ) -> Result<Vec<(u64, T)>, E> {
        let position = |offset: u64| match order {
            Order::Ascending => offset + 1,
            Order::Descending => total - offset,
        };
        let row = async |position| {
            let Some(number) = self.number(position).await? else {
                return Ok::<_, E>(None);
            };
            Ok(look_up(number).await?.map(|row| (number, row)))
        };
        let mut read = stream::iter(range.map(position))
            .map(row)
            .buffered(CONCURRENT_READS);
        let mut rows: Vec<(u64, T)> = Vec::new();
        while let Some(row) = read.try_next().await? {
            rows.extend(row.filter(|(number, _)| rows.iter().all(|(other, _)| other != number)));
        }
        Ok(rows)
    }

    /// The number at a position; `None` if a crash left the position unused.
    async fn number(&self, position: u64) -> Result<Option<u64>, StoreError> {
        let entry = self.entry(i64::try_from(position).unwrap_or(i64::MAX));
        let value = self.platform.state().get(&entry).await?;
        let text = value.and_then(|value| String::from_utf8(value).ok());
        Ok(text.and_then(|text| text.parse().ok()))
    }

    fn counter(&self) -> String {
        format!("{}/count", self.prefix)
    }

    fn entry(&self, position: i64) -> String {
        format!("{}/{position}", self.prefix)
    }
}

/// The order of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The earliest addition first.
    Ascending,
    /// The latest addition first.
    Descending,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http::Request, memory::MemoryPlatform};
    use futures::executor::block_on;

    fn page(query: &str) -> Page {
        let mut request = Request::default();
        *request.uri_mut() = format!("/reservations?{query}").parse().unwrap();
        Page::without_filters(&request, &["rsvId"]).unwrap()
    }

    fn numbers(
        index: &NumberIndex<'_, MemoryPlatform>,
        query: &str,
        order: Order,
    ) -> (Vec<u64>, u64) {
        let look_up = async |number| Ok::<_, StoreError>((number != 4).then_some(()));
        let (rows, total) = block_on(index.page(&page(query), order, look_up)).unwrap();
        (rows.into_iter().map(|(number, ())| number).collect(), total)
    }

    #[test]
    fn pages_follow_the_order_of_the_additions() {
        let platform = MemoryPlatform::new();
        let index = NumberIndex::new(&platform, "car", 5);
        for number in [1, 5, 9, 12, 30] {
            block_on(index.add(number)).unwrap();
        }
        let (up, down) = (Order::Ascending, Order::Descending);
        assert_eq!(numbers(&index, "size=2", up), (vec![1, 5], 5));
        assert_eq!(numbers(&index, "size=2&page=2", up), (vec![30], 5));
        assert_eq!(numbers(&index, "size=2", down), (vec![30, 12], 5));
        assert_eq!(numbers(&index, "size=2&page=9", down), (vec![], 5));
        let other = NumberIndex::new(&platform, "car", 6);
        assert_eq!(numbers(&other, "", up), (vec![], 0));
    }

    #[test]
    fn entries_that_a_crash_left_are_skipped() {
        let platform = MemoryPlatform::new();
        let index = NumberIndex::new(&platform, "car", 5);
        block_on(index.add(1)).unwrap();
        platform.state.fail_after(1);
        block_on(index.add(2)).unwrap_err();
        platform.state.recover();
        for number in [3, 3, 4] {
            block_on(index.add(number)).unwrap();
        }
        assert_eq!(numbers(&index, "", Order::Ascending), (vec![1, 3], 5));
    }
}
