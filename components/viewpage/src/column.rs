//! The columns of the view, named once: a name here is the name in the JSON, in the query string
//! and in the tables.
//!
//! A car without a reservation or payment has 0 or the empty text there, and JSON shows null. NULL
//! would compare with nothing, so that no index range could lead past it.

use crate::SqlValue;
use std::fmt;

/// One column of the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The car, and the row's key.
    CarId,
    /// Its name.
    CarName,
    /// Its type.
    CarType,
    /// Its price, in won.
    Amount,
    /// `available` or `reserved`.
    CarStatus,
    /// Its latest reservation that was not rejected.
    RsvId,
    /// That reservation's status.
    RsvStatus,
    /// That reservation's payment.
    PayId,
    /// That payment's status.
    PayStatus,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A whole number, not negative.
    Number,
    /// A text.
    Text,
}

impl Column {
    /// Every column, in the order of a row.
    pub const ALL: [Self; 9] = [
        Self::CarId,
        Self::CarName,
        Self::CarType,
        Self::Amount,
        Self::CarStatus,
        Self::RsvId,
        Self::RsvStatus,
        Self::PayId,
        Self::PayStatus,
    ];

    /// Every column's name, in the order of a row.
    pub const NAMES: [&'static str; 9] = {
        let mut names = [""; 9];
        let mut index = 0;
        while index < names.len() {
            names[index] = Self::ALL[index].name();
            index += 1;
        }
        names
    };

    /// The name, everywhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CarId => "carId",
            Self::CarName => "carName",
            Self::CarType => "carType",
            Self::Amount => "amount",
            Self::CarStatus => "carStatus",
            Self::RsvId => "rsvId",
            Self::RsvStatus => "rsvStatus",
            Self::PayId => "payId",
            Self::PayStatus => "payStatus",
        }
    }

    /// The column of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// What it holds.
    #[must_use]
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::CarId | Self::Amount | Self::RsvId | Self::PayId => ColumnType::Number,
            Self::CarName | Self::CarType | Self::CarStatus | Self::RsvStatus | Self::PayStatus => {
                ColumnType::Text
            }
        }
    }

    /// Whether a car may have nothing there.
    #[must_use]
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::RsvId | Self::RsvStatus | Self::PayId | Self::PayStatus
        )
    }

    /// The smallest number it may hold: ids count from 1.
    #[must_use]
    pub fn minimum(self) -> i64 {
        i64::from(self != Self::Amount)
    }

    /// How finely it tells cars apart, finest last. A guess that needs no statistics: a search is
    /// led by its finest filter.
    #[must_use]
    pub fn selectivity(self) -> u8 {
        match self {
            Self::CarStatus => 0,
            Self::PayStatus => 1,
            Self::RsvStatus => 2,
            Self::CarType => 3,
            Self::Amount => 4,
            Self::CarName => 5,
            Self::RsvId | Self::PayId => 6,
            Self::CarId => 7,
        }
    }

    /// The value that a query string means. The empty text asks for cars that have nothing there.
    ///
    /// # Errors
    ///
    /// What would be right.
    pub fn parse(self, text: &str) -> Result<SqlValue, String> {
        match self.column_type() {
            ColumnType::Text => Ok(SqlValue::Text(text.to_owned())),
            ColumnType::Number if text.is_empty() && self.is_optional() => Ok(SqlValue::Number(0)),
            ColumnType::Number => {
                let least = self.minimum();
                let number = text.parse().ok().filter(|number| *number >= least);
                number.map(SqlValue::Number).ok_or_else(|| {
                    format!("{self} must be a whole number from {least} to {}", i64::MAX)
                })
            }
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
