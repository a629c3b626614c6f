//! Priorities: the order in which calls are served when not all of them can be served.

/// The priority of a call: a level in an order, where level 0 is the lowest.
///
/// The levels have no meaning here. The application that configures a [`crate::bulkhead::Bulkhead`] decides how many
/// levels there are, at most [`Priority::MAX_LEVELS`], and what they stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The maximum number of levels. A bulkhead searches them in order, so there must be few.
    pub const MAX_LEVELS: usize = 8;

    /// Level 0.
    pub const LOWEST: Self = Self(0);

    /// The priority of a level; `None` unless the level is below [`Self::MAX_LEVELS`].
    pub const fn from_level(level: usize) -> Option<Self> {
        match level < Self::MAX_LEVELS {
            true => Some(Self(level as u8)),
            false => None,
        }
    }

    /// The level, which is also the index into a list with one entry for each level, the lowest first.
    pub const fn level(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_level_is_a_higher_priority() {
        let levels = 0..Priority::MAX_LEVELS;
        let priorities: Vec<_> = levels.filter_map(Priority::from_level).collect();
        assert!(priorities.is_sorted() && priorities.len() == Priority::MAX_LEVELS);
        assert_eq!(priorities[0], Priority::LOWEST);
        assert_eq!(priorities[3].level(), 3);
    }

    #[test]
    fn a_level_above_the_maximum_is_no_priority() {
        assert_eq!(Priority::from_level(Priority::MAX_LEVELS), None);
    }
}
