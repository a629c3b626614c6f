//! What may be asked: a page of rows, or the one row of a car, a reservation or a payment. Each is
//! one statement.

use crate::{Column, Database, DatabaseError, ReadModel, SqlValue, sql::list};
use events::{CarId, PaymentId, ReservationId};
use serde::Serialize;

/// One row of the view. What a car does not have is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CarView {
    /// Which car.
    pub car_id: CarId,
    /// Its name.
    pub car_name: String,
    /// Its type.
    pub car_type: String,
    /// Its price, in won.
    pub amount: u64,
    /// `available` or `reserved`.
    pub car_status: String,
    /// Its latest reservation that was not rejected.
    pub rsv_id: Option<ReservationId>,
    /// That reservation's status.
    pub rsv_status: Option<String>,
    /// That reservation's payment.
    pub pay_id: Option<PaymentId>,
    /// That payment's status.
    pub pay_status: Option<String>,
}

/// A part of the view, in an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// What the rows must hold, each column at most once.
    pub filters: Vec<(Column, SqlValue)>,
    /// The order, most important first. Ties are broken by the car's id.
    pub order: Vec<SortKey>,
    /// Rows to skip.
    pub offset: u64,
    /// Rows to show.
    pub size: u64,
}

/// One column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The column.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

/// What was found of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// How many rows the whole list has.
    pub total: u64,
    /// The rows of the page.
    pub rows: Vec<CarView>,
}

impl<R: Database> ReadModel<R> {
    /// One page of a list.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn list(&self, listing: &ListQuery) -> Result<ListPage, DatabaseError> {
        let (statement, parameters) = list::statement(listing);
        let rows = self.run(&statement, &parameters).await?;
        let total = rows.first().and_then(|row| number(row.first()));
        let rows = rows
            .into_iter()
            .filter(|row| row.get(1) != Some(&SqlValue::Null));
        Ok(ListPage {
            total: total.ok_or_else(misshapen)?,
            rows: rows
                .map(|row| CarView::read(row.into_iter().skip(1)).ok_or_else(misshapen))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The row of a car.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn of_car(&self, car_id: CarId) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::CarId, car_id.0).await
    }

    /// The row that shows a reservation.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn of_reservation(
        &self,
        rsv_id: ReservationId,
    ) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::RsvId, rsv_id.0).await
    }

    /// The row that shows a payment.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn of_payment(&self, pay_id: PaymentId) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::PayId, pay_id.0).await
    }

    async fn one(&self, column: Column, id: u64) -> Result<Option<CarView>, DatabaseError> {
        let rows = self.run(&list::one(column), &[id.into()]).await?;
        let row = rows.into_iter().next();
        row.map(|row| CarView::read(row.into_iter()).ok_or_else(misshapen))
            .transpose()
    }
}

// === impl CarView ===

impl CarView {
    /// Reads the columns, in their order.
    fn read(mut values: impl Iterator<Item = SqlValue>) -> Option<Self> {
        Some(Self {
            car_id: CarId(number(values.next().as_ref())?),
            car_name: text(values.next())?,
            car_type: text(values.next())?,
            amount: number(values.next().as_ref())?,
            car_status: text(values.next())?,
            rsv_id: present_number(values.next())?.map(ReservationId),
            rsv_status: present_text(values.next())?,
            pay_id: present_number(values.next())?.map(PaymentId),
            pay_status: present_text(values.next())?,
        })
    }
}

fn number(value: Option<&SqlValue>) -> Option<u64> {
    match value? {
        SqlValue::Number(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

fn text(value: Option<SqlValue>) -> Option<String> {
    match value? {
        SqlValue::Text(text) => Some(text),
        _ => None,
    }
}

/// An id that may be missing: ids count from 1.
fn present_number(value: Option<SqlValue>) -> Option<Option<u64>> {
    number(value.as_ref()).map(|number| (number > 0).then_some(number))
}

/// A text that may be missing: no status is empty.
fn present_text(value: Option<SqlValue>) -> Option<Option<String>> {
    text(value).map(|text| (!text.is_empty()).then_some(text))
}

fn misshapen() -> DatabaseError {
    DatabaseError("a row has other columns than the view".into())
}

#[cfg(test)]
mod tests;
