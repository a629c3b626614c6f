//! The columns of the read model. A column has one name, in the JSON, in the query string and in the tables.
//!
//! A car without a reservation or payment has 0 or the empty text in their columns, and JSON shows null. NULL would
//! compare with no value, so an index range could not contain it.

use crate::sql_value::SqlValue;
use kit::text::normalized;
use std::fmt;

/// One column of the read model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The car's number, the key of the row.
    CarId,
    /// The car's name.
    CarName,
    /// The car's type.
    CarType,
    /// The price of one reservation, in won.
    Amount,
    /// `available` or `reserved`.
    CarStatus,
    /// The car's latest reservation that was not rejected.
    RsvId,
    /// The status of that reservation.
    RsvStatus,
    /// The payment of that reservation.
    PayId,
    /// The status of that payment.
    PayStatus,
}

/// The type of a column's values.
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

    /// Every column's name, in the order of a row, for a SELECT.
    #[must_use]
    pub fn select_list() -> String {
        Self::NAMES.join(", ")
    }

    /// The name.
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

    /// The column with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// The type of its values.
    #[must_use]
    pub fn column_type(self) -> ColumnType {
        match self {
            Self::CarId | Self::Amount | Self::RsvId | Self::PayId => ColumnType::Number,
            Self::CarName | Self::CarType | Self::CarStatus | Self::RsvStatus | Self::PayStatus => {
                ColumnType::Text
            }
        }
    }

    /// Whether a car can have no value in the column.
    #[must_use]
    pub fn is_optional(self) -> bool {
        matches!(
            self,
            Self::RsvId | Self::RsvStatus | Self::PayId | Self::PayStatus
        )
    }

    /// The smallest number of a filter: ids count from 1.
    #[must_use]
    pub fn minimum(self) -> i64 {
        i64::from(self != Self::Amount)
    }

    /// The estimated selectivity of a filter on the column, higher for fewer matches. A fixed estimate needs no
    /// statistics; a search uses the index of its most selective filter.
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

    /// The value of a filter in a query string. The empty text matches cars without a value.
    ///
    /// # Errors
    ///
    /// What the text must be, for people.
    pub fn parse(self, text: &str) -> Result<SqlValue, String> {
        match self.column_type() {
            ColumnType::Text => Ok(SqlValue::Text(normalized(text))),
            ColumnType::Number if text.is_empty() && self.is_optional() => Ok(SqlValue::Number(0)),
            ColumnType::Number => {
                let minimum = self.minimum();
                let number = text.parse().ok().filter(|number| *number >= minimum);
                number.map(SqlValue::Number).ok_or_else(|| {
                    let maximum = i64::MAX;
                    format!("{self} must be a whole number from {minimum} to {maximum}")
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
