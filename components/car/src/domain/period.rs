//! A stretch of time, open at either end. Today every booking is open-ended at both; the rules know
//! more, so that periods with a start and an end come in without redesign.

use events::Timestamp;

/// From `from` (included) until `until` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Period {
    /// All of time.
    pub const OPEN: Self = Self {
        from: None,
        until: None,
    };

    /// A period; `None` when it would end before or as it starts.
    #[must_use]
    pub fn new(from: Option<Timestamp>, until: Option<Timestamp>) -> Option<Self> {
        match (from, until) {
            (Some(from), Some(until)) if until <= from => None,
            _ => Some(Self { from, until }),
        }
    }

    /// Whether some moment belongs to both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let starts_before_end = |one: &Self, other: &Self| match (one.from, other.until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        };
        starts_before_end(self, other) && starts_before_end(other, self)
    }

    /// Where it starts; `None` is the beginning of time.
    #[must_use]
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// Where it ends; `None` is never.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(from: u64, until: u64) -> Period {
        Period::new(
            Some(Timestamp::from_millis(from)),
            Some(Timestamp::from_millis(until)),
        )
        .unwrap()
    }

    #[test]
    fn periods_that_touch_do_not_overlap() {
        assert!(!period(1, 2).overlaps(&period(2, 3)));
        assert!(!period(2, 3).overlaps(&period(1, 2)));
        assert!(period(1, 3).overlaps(&period(2, 4)));
        assert!(period(1, 9).overlaps(&period(2, 3)));
    }

    #[test]
    fn an_open_period_overlaps_everything() {
        assert!(Period::OPEN.overlaps(&period(1, 2)));
        assert!(period(1, 2).overlaps(&Period::OPEN));
    }

    #[test]
    fn a_period_does_not_end_before_it_starts() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        assert!(Period::new(at(2), at(2)).is_none());
        assert!(Period::new(at(2), None).is_some());
    }
}
