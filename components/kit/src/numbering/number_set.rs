//! A set of numbers as ranges: few and far between when deletions are, and one range when everything up
//! to a number is deleted.

use serde::{Deserialize, Serialize};

/// Sorted, disjoint and non-adjacent ranges of numbers, both ends included. The stored form is a JSON
/// array of pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumberSet(Vec<(u64, u64)>);

impl NumberSet {
    /// Adds a number; false if the set contains it already.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        let at = self.0.partition_point(|range| range.1 < number);
        self.0.insert(at, (number, number));
        self.join_with_next(at);
        if at > 0 {
            self.join_with_next(at - 1);
        }
        true
    }

    /// Removes a number; false if the set does not contain it.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let at = self.0.partition_point(|range| range.1 < number);
        let Some(&(from, to)) = self.0.get(at).filter(|range| range.0 <= number) else {
            return false;
        };
        let rest = [(from, number - 1), (number + 1, to)];
        let rest = rest.into_iter().filter(|(from, to)| from <= to);
        self.0.splice(at..=at, rest);
        true
    }

    /// Whether the set contains a number.
    pub(super) fn contains(&self, number: u64) -> bool {
        let at = self.0.partition_point(|range| range.1 < number);
        self.0.get(at).is_some_and(|range| range.0 <= number)
    }

    /// The highest number; `None` in an empty set.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last().map(|range| range.1)
    }

    /// The numbers, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.ranges().flat_map(|(from, to)| from..=to)
    }

    /// The ranges, in ascending order.
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + Clone + '_ {
        self.0.iter().copied()
    }

    /// Number of numbers in the set.
    pub(super) fn count(&self) -> u64 {
        self.ranges().map(|(from, to)| to - from + 1).sum()
    }

    /// Joins the range at `at` with the next one if the two are adjacent.
    fn join_with_next(&mut self, at: usize) {
        if let (Some(&(from, end)), Some(&(next, to))) = (self.0.get(at), self.0.get(at + 1))
            && end + 1 == next
        {
            self.0[at] = (from, to);
            self.0.remove(at + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_numbers_join_into_ranges_in_any_order() {
        let mut numbers = NumberSet::default();
        let inserted = [3, 5, 4, 9, 3].map(|number| numbers.insert(number));
        assert_eq!(inserted, [true, true, true, true, false]);
        assert_eq!(numbers, NumberSet(vec![(3, 5), (9, 9)]));
        assert_eq!(numbers.count(), 4);
    }

    #[test]
    fn a_removed_number_splits_its_range() {
        let mut numbers = NumberSet(vec![(3, 5), (9, 9)]);
        let removed = [4, 9, 9, 3, 7].map(|number| numbers.remove(number));
        assert_eq!(removed, [true, true, false, true, false]);
        assert_eq!(numbers.iter().collect::<Vec<u64>>(), [5]);
    }

    #[test]
    fn the_stored_form_is_an_array_of_pairs() {
        let stored: NumberSet = serde_json::from_str("[[3,5],[9,9]]").unwrap();
        assert_eq!(stored, NumberSet(vec![(3, 5), (9, 9)]));
        assert_eq!(serde_json::to_string(&stored).unwrap(), "[[3,5],[9,9]]");
    }
}
