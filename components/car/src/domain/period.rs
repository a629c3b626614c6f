//! A period of time, open at either end.
//!
//! Every booking is open-ended at both ends. The rules handle bounded periods too, so that bookings with a start and an
//! end need no redesign.

use events::Timestamp;

/// The time from `from` (included) to `until` (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Period {
    /// The period without bounds.
    pub const OPEN: Self = Self {
        from: None,
        until: None,
    };

    /// A period; `None` when its end is not after its start.
    #[must_use]
    pub fn new(from: Option<Timestamp>, until: Option<Timestamp>) -> Option<Self> {
        match (from, until) {
            (Some(from), Some(until)) if until <= from => None,
            _ => Some(Self { from, until }),
        }
    }

    /// Whether the two periods have a moment in common.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let starts_before_end = |one: &Self, other: &Self| match (one.from, other.until) {
            (Some(from), Some(until)) => from < until,
            _ => true,
        };
        starts_before_end(self, other) && starts_before_end(other, self)
    }

    /// Its start; `None` when it has none.
    #[must_use]
    pub fn from(&self) -> Option<Timestamp> {
        self.from
    }

    /// Its end; `None` when it has none.
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
    fn a_period_must_end_after_its_start() {
        let at = |millis| Some(Timestamp::from_millis(millis));
        assert!(Period::new(at(2), at(2)).is_none());
        assert!(Period::new(at(2), None).is_some());
    }
}
