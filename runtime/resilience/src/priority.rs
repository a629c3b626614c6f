//! Who goes first when not everybody can: the order in which the business would rather lose calls.

/// How much a call matters. Greater goes first: paying before reserving before browsing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Looking around. Losing one is a nuisance, and there are many.
    #[default]
    Browsing,
    /// The step by which a customer becomes one.
    Reserving,
    /// Money is on its way: losing one leaves work to undo.
    Paying,
}

impl Priority {
    /// Every priority, the least first.
    pub const ALL: [Self; 3] = [Self::Browsing, Self::Reserving, Self::Paying];

    /// Its place in an array that has one entry per priority.
    pub fn index(self) -> usize {
        self as usize
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Browsing => "browsing",
            Self::Reserving => "reserving",
            Self::Paying => "paying",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paying_goes_before_reserving_before_browsing() {
        assert!(Priority::Paying > Priority::Reserving && Priority::Reserving > Priority::Browsing);
        assert!(Priority::ALL.is_sorted());
        for (place, priority) in Priority::ALL.into_iter().enumerate() {
            assert_eq!(priority.index(), place);
        }
    }
}
