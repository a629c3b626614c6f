//! The summary of the fleet: how many cars there are and in which state, what they have earned, and what is unsettled.

use crate::{
    car_view::{CarView, number},
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql::{
        charges::{self, Hour},
        summary,
    },
    sql_value::SqlValue,
};
use events::Timestamp;
use std::collections::BTreeMap;

/// The hours of the revenue, the present one included.
const HOURS: u64 = 24;

/// The summary of the fleet at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The number of cars.
    pub cars: u64,
    /// The number of available cars.
    pub available: u64,
    /// The number of reserved cars.
    pub reserved: u64,
    /// What the payments brought in that were approved in each of the last 24 hours and not returned, the present hour last.
    pub revenue: Vec<HourlyRevenue>,
    /// The rows whose reservation is requested or about to be cancelled, at most 100.
    pub attention: Vec<CarView>,
}

/// What the payments of one hour brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyRevenue {
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// Their amount, in won.
    pub amount: u64,
    /// Their number.
    pub payments: u64,
}

impl<D: Database> ReadModel<D> {
    /// The summary of the fleet. Its cost does not depend on the number of cars.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn summary(&self, now: Timestamp) -> Result<Summary, DatabaseError> {
        let statuses = ["available".into(), "reserved".into()];
        let counts = self.run(&summary::counts(), &statuses).await?;
        let [cars, available, reserved] = counts
            .into_iter()
            .next()
            .and_then(numbers)
            .ok_or_else(unexpected)?;
        let last = charges::hour_of(now.as_millis());
        let before = last.saturating_sub(HOURS);
        let parameters = [before.into(), last.into()];
        let revenue = self.run(charges::REVENUE, &parameters).await?;
        let revenue: Option<BTreeMap<Hour, (u64, u64)>> = revenue
            .into_iter()
            .map(|row| numbers(row).map(|[hour, amount, payments]| (hour, (amount, payments))))
            .collect();
        let revenue = revenue.ok_or_else(unexpected)?;
        let attention = self.run(&summary::attention(), &[]).await?;
        let attention: Option<_> = attention
            .into_iter()
            .map(|row| CarView::from_values(row.into_iter()))
            .collect();
        Ok(Summary {
            cars,
            available,
            reserved,
            revenue: (before + 1..=last)
                .map(|hour| hourly(hour, revenue.get(&hour)))
                .collect(),
            attention: attention.ok_or_else(unexpected)?,
        })
    }
}

impl Summary {
    /// The share of the cars that are reserved, to four digits.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "no fleet has more cars than a float has integers"
        )]
        let share = self.reserved as f64 / self.cars.max(1) as f64;
        (share * 1e4).round() / 1e4
    }
}

/// The revenue of an hour, which is nothing without a sum.
fn hourly(hour: Hour, sum: Option<&(u64, u64)>) -> HourlyRevenue {
    let (amount, payments) = sum.copied().unwrap_or_default();
    HourlyRevenue {
        hour: Timestamp::from_millis(charges::beginning_of(hour)),
        amount,
        payments,
    }
}

fn numbers<const N: usize>(row: Vec<SqlValue>) -> Option<[u64; N]> {
    let row: Option<Vec<u64>> = row.into_iter().map(number).collect();
    row?.try_into().ok()
}

fn unexpected() -> DatabaseError {
    DatabaseError("a row does not have the numbers of the summary".into())
}

#[cfg(test)]
mod tests;
