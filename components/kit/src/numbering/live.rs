//! The live numbers: everything from 1 to the last allocation, except the tombstones.

use super::number_set::NumberSet;

/// The live numbers at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveNumbers {
    last: u64,
    tombstones: NumberSet,
}

impl LiveNumbers {
    pub(super) fn new(last: u64, tombstones: NumberSet) -> Self {
        Self { last, tombstones }
    }

    /// Number of live numbers.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.last.saturating_sub(self.tombstones.count())
    }

    /// The same numbers without `numbers`.
    #[must_use]
    pub fn without(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        for number in numbers {
            self.tombstones.insert(number);
        }
        self
    }

    /// All live numbers, in ascending order.
    pub fn ascending(&self) -> impl Iterator<Item = u64> + '_ {
        let gaps = self.tombstones.ranges();
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

    /// The `take` numbers after the first `skip`, in ascending order. It skips whole ranges, so that the
    /// cost does not grow with `skip`.
    fn slice(&self, mut skip: u64, take: u64) -> Vec<u64> {
        let mut slice = Vec::new();
        let mut from = 1;
        for (gap, gap_end) in self.tombstones.ranges().chain([(self.last + 1, 0)]) {
            let live = gap.saturating_sub(from);
            if skip < live {
                let wanted = take - slice.len() as u64;
                let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
                slice.extend((from + skip..gap).take(wanted));
                skip = 0;
            } else {
                skip -= live;
            }
            if slice.len() as u64 == take {
                break;
            }
            from = gap_end + 1;
        }
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(last: u64, retired: &[u64]) -> LiveNumbers {
        let mut tombstones = NumberSet::default();
        for number in retired {
            tombstones.insert(*number);
        }
        LiveNumbers::new(last, tombstones)
    }

    #[test]
    fn a_tombstone_is_not_counted() {
        assert_eq!(numbers(10, &[3, 5, 4, 9]).count(), 6);
    }

    #[test]
    fn pages_contain_every_live_number_once() {
        let numbers = numbers(10, &[1, 3, 4, 10]);
        let live: Vec<u64> = numbers.ascending().collect();
        assert_eq!(live, [2, 5, 6, 7, 8, 9]);
        for size in 1..8 {
            let offsets = (0..8).map(|page| page * size);
            let ascending = offsets
                .clone()
                .flat_map(|offset| numbers.ascending_page(offset, size));
            assert_eq!(ascending.collect::<Vec<u64>>(), live);
            let descending = offsets.flat_map(|offset| numbers.descending_page(offset, size));
            let reversed: Vec<u64> = live.iter().rev().copied().collect();
            assert_eq!(descending.collect::<Vec<u64>>(), reversed);
        }
    }

    #[test]
    fn a_page_beyond_the_last_is_empty() {
        assert!(numbers(3, &[]).ascending_page(u64::MAX, 20).is_empty());
        assert!(numbers(0, &[]).descending_page(0, 20).is_empty());
    }
}
