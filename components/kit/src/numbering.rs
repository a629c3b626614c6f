//! Aggregates numbered from 1, and their pages without an index.
//!
//! The counter says how many numbers were given out; the few that lead nowhere (a deleted car, a
//! number that a crash left unused) are kept as ranges in one small value. So the n-th living
//! number is arithmetic, a registration touches no index, and a page costs as many reads as it has
//! rows, whatever the size of the fleet.

pub mod orphans;

use crate::{Platform, Store, StoreError, SwapOutcome};
use serde::{Deserialize, Serialize};

const IDS: &str = "ids";
const TOMBSTONES: &str = "void";

/// Sorted, disjoint ranges of numbers that lead nowhere, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tombstones(Vec<(u64, u64)>);

/// The living numbers at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNumbers {
    last: u64,
    tombstones: Tombstones,
}

/// Gives out the next number.
///
/// # Errors
///
/// The store's silence; a number may then be lost, never given twice.
pub async fn allocate<P: Platform>(platform: &P) -> Result<u64, StoreError> {
    let number = platform.state().increment(IDS, 1).await?;
    u64::try_from(number).map_err(|_| StoreError(format!("the counter `{IDS}` is negative")))
}

/// Takes `number` out of every page. Doing so twice is doing it once.
///
/// # Errors
///
/// The store's silence, or too much contention.
pub async fn retire<P: Platform>(platform: &P, number: u64) -> Result<(), StoreError> {
    for _ in 0..64 {
        let (value, token) = platform.state().get_for_swap(TOMBSTONES).await?;
        let mut tombstones = decode(value.as_deref())?;
        if !tombstones.insert(number) {
            return Ok(());
        }
        let value = serde_json::to_vec(&tombstones).map_err(|e| StoreError(e.to_string()))?;
        if platform.state().compare_and_swap(token, &value).await? == SwapOutcome::Written {
            return Ok(());
        }
        // Refused may be untrue; the next reading tells.
    }
    Err(StoreError(format!("`{TOMBSTONES}` is changed too often")))
}

/// The living numbers now.
///
/// # Errors
///
/// The store's silence.
pub async fn live_numbers<P: Platform>(platform: &P) -> Result<LiveNumbers, StoreError> {
    let last = platform.state().increment(IDS, 0).await?;
    let tombstones = platform.state().get(TOMBSTONES).await?;
    Ok(LiveNumbers {
        last: u64::try_from(last).unwrap_or(0),
        tombstones: decode(tombstones.as_deref())?,
    })
}

fn decode(value: Option<&[u8]>) -> Result<Tombstones, StoreError> {
    let unreadable = |error| StoreError(format!("`{TOMBSTONES}` cannot be read: {error}"));
    value.map_or_else(
        || Ok(Tombstones::default()),
        |v| serde_json::from_slice(v).map_err(unreadable),
    )
}

// === impl Tombstones ===

impl Tombstones {
    /// Adds a number; false if it was there.
    fn insert(&mut self, number: u64) -> bool {
        let at = self.0.partition_point(|range| range.1 < number);
        if self.0.get(at).is_some_and(|range| range.0 <= number) {
            return false;
        }
        self.0.insert(at, (number, number));
        self.join(at);
        if at > 0 {
            self.join(at - 1);
        }
        true
    }

    /// Joins the range at `at` with its successor if they touch.
    fn join(&mut self, at: usize) {
        if let (Some(&(from, end)), Some(&(next, to))) = (self.0.get(at), self.0.get(at + 1))
            && end + 1 == next
        {
            self.0[at] = (from, to);
            self.0.remove(at + 1);
        }
    }
}

// === impl LiveNumbers ===

impl LiveNumbers {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let tombstones: u64 = self
            .tombstones
            .0
            .iter()
            .map(|(from, to)| to - from + 1)
            .sum();
        self.last.saturating_sub(tombstones)
    }

    /// In ascending order.
    pub fn ascending(&self) -> impl Iterator<Item = u64> + '_ {
        let gaps = self.tombstones.0.iter().copied();
        let ends = gaps.clone().map(|(from, _)| from - 1).chain([self.last]);
        let starts = std::iter::once(1).chain(gaps.map(|(_, to)| to + 1));
        starts.zip(ends).flat_map(|(from, to)| from..=to)
    }

    /// At most `limit` numbers after the first `offset`, in ascending order.
    #[must_use]
    pub fn ascending_page(&self, offset: u64, limit: u64) -> Vec<u64> {
        let count = self.count();
        let from = offset.min(count);
        self.slice(from, limit.min(count - from))
    }

    /// At most `limit` numbers after the first `offset`, in descending order.
    #[must_use]
    pub fn descending_page(&self, offset: u64, limit: u64) -> Vec<u64> {
        let count = self.count();
        let to = count - offset.min(count);
        let take = limit.min(to);
        let mut page = self.slice(to - take, take);
        page.reverse();
        page
    }

    /// Skips whole ranges, so that a far page costs no more than a near one.
    fn slice(&self, mut skip: u64, take: u64) -> Vec<u64> {
        let mut slice = Vec::new();
        let mut from = 1;
        for (gap, next) in self
            .tombstones
            .0
            .iter()
            .copied()
            .chain([(self.last + 1, 0)])
        {
            let living = gap.saturating_sub(from);
            if skip < living {
                let wanted = take - slice.len() as u64;
                slice
                    .extend((from + skip..gap).take(usize::try_from(wanted).unwrap_or(usize::MAX)));
                skip = 0;
            } else {
                skip -= living;
            }
            if slice.len() as u64 == take {
                break;
            }
            from = next + 1;
        }
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(last: u64, tombstones: &[u64]) -> LiveNumbers {
        let mut ranges = Tombstones::default();
        for number in tombstones {
            ranges.insert(*number);
        }
        LiveNumbers {
            last,
            tombstones: ranges,
        }
    }

    #[test]
    fn void_numbers_join_into_ranges_in_any_order() {
        let numbers = numbers(10, &[3, 5, 4, 9, 3]);
        assert_eq!(numbers.tombstones, Tombstones(vec![(3, 5), (9, 9)]));
        assert_eq!(numbers.count(), 6);
    }

    #[test]
    fn pages_lose_and_repeat_nothing() {
        let numbers = numbers(10, &[1, 3, 4, 10]);
        let living: Vec<u64> = numbers.ascending().collect();
        assert_eq!(living, [2, 5, 6, 7, 8, 9]);
        for size in 1..8 {
            let offsets = (0..8).map(|page| page * size);
            let ascending = offsets
                .clone()
                .flat_map(|offset| numbers.ascending_page(offset, size));
            assert_eq!(ascending.collect::<Vec<u64>>(), living);
            let descending = offsets.flat_map(|offset| numbers.descending_page(offset, size));
            let reversed: Vec<u64> = living.iter().rev().copied().collect();
            assert_eq!(descending.collect::<Vec<u64>>(), reversed);
        }
    }

    #[test]
    fn a_page_beyond_the_last_is_empty() {
        assert!(numbers(3, &[]).ascending_page(u64::MAX, 20).is_empty());
        assert!(numbers(0, &[]).descending_page(0, 20).is_empty());
    }
}
