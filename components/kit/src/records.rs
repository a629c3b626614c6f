//! Reading aggregates by number, for a rebuild of a read model: the greatest number in use, and the aggregates of a list of
//! numbers.

use crate::{
    change_error::ChangeError, numbering, platform::Platform, store::StoreError,
    unavailable::Unavailable,
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use std::convert::Infallible;

/// Maximum length of a list of numbers. The reads of one call end well before its deadline.
pub const MAX_NUMBERS: usize = 100;
/// Number of concurrent reads: enough to hide the latency of a remote store.
const CONCURRENT_READS: usize = 16;

/// Why nothing is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The list has more than [`MAX_NUMBERS`] numbers.
    TooMany,
    /// The store failed, or the context that is read over HTTP.
    Unavailable(Unavailable),
}

impl From<Unavailable> for ReadError {
    fn from(unavailable: Unavailable) -> Self {
        Self::Unavailable(unavailable)
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<ChangeError<Infallible>> for ReadError {
    fn from(error: ChangeError<Infallible>) -> Self {
        Self::Unavailable(error.into())
    }
}

/// The greatest number in use; `None` when there is none. Its aggregate may still be under creation.
///
/// # Errors
///
/// The store failed.
pub async fn newest<P: Platform>(platform: &P) -> Result<Option<u64>, ReadError> {
    let numbers = numbering::live_numbers(platform).await?;
    Ok(numbers.descending_page(0, 1).first().copied())
}

/// The aggregates that `find` finds for the numbers, in the same order.
///
/// # Errors
///
/// The list is too long, or `find` failed for one of the numbers.
pub async fn read<T, E: Into<ReadError>>(
    numbers: &[u64],
    find: impl AsyncFn(u64) -> Result<Option<T>, E>,
) -> Result<Vec<T>, ReadError> {
    if numbers.len() > MAX_NUMBERS {
        return Err(ReadError::TooMany);
    }
    let mut found = stream::iter(numbers)
        .map(async |number| find(*number).await)
        .buffered(CONCURRENT_READS);
    let mut rows = Vec::new();
    while let Some(row) = found.try_next().await.map_err(Into::into)? {
        rows.extend(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPlatform;
    use futures::executor::block_on;

    fn read_up_to(last: u64) -> Result<Vec<u64>, ReadError> {
        let numbers: Vec<u64> = (1..=last).collect();
        block_on(read(&numbers, async |number| {
            Ok::<_, StoreError>((number % 2 == 0).then_some(number))
        }))
    }

    #[test]
    fn numbers_without_an_aggregate_are_left_out() {
        assert_eq!(read_up_to(5), Ok(vec![2, 4]));
    }

    #[test]
    fn a_list_has_at_most_100_numbers() {
        assert_eq!(read_up_to(100).map(|rows| rows.len()), Ok(50));
        assert_eq!(read_up_to(101), Err(ReadError::TooMany));
    }

    #[test]
    fn a_failed_read_fails_the_list() {
        let fails = async |_| Err::<Option<()>, _>(StoreError("full".into()));
        let failed = block_on(read(&[1], fails));
        assert!(
            matches!(failed, Err(ReadError::Unavailable(_))),
            "{failed:?}"
        );
    }

    #[test]
    fn the_newest_number_is_the_last_one_that_is_not_retired() {
        let platform = MemoryPlatform::new();
        assert_eq!(block_on(newest(&platform)), Ok(None));
        for _ in 0..3 {
            block_on(numbering::allocate(&platform, |number| number.to_string())).unwrap();
        }
        block_on(numbering::retire(&platform, 3)).unwrap();
        assert_eq!(block_on(newest(&platform)), Ok(Some(2)));
    }
}
