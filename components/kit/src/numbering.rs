//! Aggregates numbered from 1, and their pages without an index.
//!
//! The counter says how many numbers were given out; the few that lead nowhere (a deleted car, a
//! number that a crash left unused) are kept as ranges in one small value. So the n-th living
//! number is arithmetic, a registration touches no index, and a page costs as many reads as it has
//! rows, whatever the size of the fleet.

pub mod lost;

use crate::{Platform, Store, StoreError, SwapOutcome};
use serde::{Deserialize, Serialize};

const IDS: &str = "ids";
const VOID: &str = "void";

/// Sorted, disjoint ranges of numbers that lead nowhere, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Void(Vec<(u64, u64)>);

/// The living numbers at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    last: u64,
    void: Void,
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
        let (value, token) = platform.state().get_for_swap(VOID).await?;
        let mut void = decode(value.as_deref())?;
        if !void.insert(number) {
            return Ok(());
        }
        let value = serde_json::to_vec(&void).map_err(|e| StoreError(e.to_string()))?;
        if platform.state().compare_and_swap(token, &value).await? == SwapOutcome::Written {
            return Ok(());
        }
        // Refused may be untrue; the next reading tells.
    }
    Err(StoreError(format!("`{VOID}` is changed too often")))
}

/// The living numbers now.
///
/// # Errors
///
/// The store's silence.
pub async fn numbers<P: Platform>(platform: &P) -> Result<Numbers, StoreError> {
    let last = platform.state().increment(IDS, 0).await?;
    let void = platform.state().get(VOID).await?;
    Ok(Numbers {
        last: u64::try_from(last).unwrap_or(0),
        void: decode(void.as_deref())?,
    })
}

fn decode(value: Option<&[u8]>) -> Result<Void, StoreError> {
    let unreadable = |error| StoreError(format!("`{VOID}` cannot be read: {error}"));
    value.map_or_else(
        || Ok(Void::default()),
        |v| serde_json::from_slice(v).map_err(unreadable),
    )
}

// === impl Void ===

impl Void {
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

// === impl Numbers ===

impl Numbers {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        let void: u64 = self.void.0.iter().map(|(from, to)| to - from + 1).sum();
        self.last.saturating_sub(void)
    }

    /// In ascending order.
    pub fn ascending(&self) -> impl Iterator<Item = u64> + '_ {
        let gaps = self.void.0.iter().copied();
        let ends = gaps.clone().map(|(from, _)| from - 1).chain([self.last]);
        let starts = std::iter::once(1).chain(gaps.map(|(_, to)| to + 1));
        starts.zip(ends).flat_map(|(from, to)| from..=to)
    }

    /// `limit` numbers after the first `offset`, ascending or descending.
    #[must_use]
    pub fn page(&self, offset: u64, limit: u64, descending: bool) -> Vec<u64> {
        let count = self.count();
        let from = offset.min(count);
        let to = from.saturating_add(limit).min(count);
        if descending {
            let mut page = self.slice(count - to, to - from);
            page.reverse();
            page
        } else {
            self.slice(from, to - from)
        }
    }

    /// Skips whole ranges, so that a far page costs no more than a near one.
    fn slice(&self, mut skip: u64, take: u64) -> Vec<u64> {
        let mut slice = Vec::new();
        let mut from = 1;
        for (gap, next) in self.void.0.iter().copied().chain([(self.last + 1, 0)]) {
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

    fn numbers(last: u64, void: &[u64]) -> Numbers {
        let mut ranges = Void::default();
        for number in void {
            ranges.insert(*number);
        }
        Numbers { last, void: ranges }
    }

    #[test]
    fn void_numbers_join_into_ranges_in_any_order() {
        let numbers = numbers(10, &[3, 5, 4, 9, 3]);
        assert_eq!(numbers.void, Void(vec![(3, 5), (9, 9)]));
        assert_eq!(numbers.count(), 6);
    }

    #[test]
    fn pages_lose_and_repeat_nothing() {
        let numbers = numbers(10, &[1, 3, 4, 10]);
        let living: Vec<u64> = numbers.ascending().collect();
        assert_eq!(living, [2, 5, 6, 7, 8, 9]);
        for size in 1..8 {
            let pages = |descending| -> Vec<u64> {
                (0..8)
                    .flat_map(|page| numbers.page(page * size, size, descending))
                    .collect()
            };
            assert_eq!(pages(false), living);
            let reversed: Vec<u64> = living.iter().rev().copied().collect();
            assert_eq!(pages(true), reversed);
        }
    }

    #[test]
    fn a_page_beyond_the_last_is_empty() {
        assert!(numbers(3, &[]).page(u64::MAX, 20, false).is_empty());
        assert!(numbers(0, &[]).page(0, 20, true).is_empty());
    }
}
