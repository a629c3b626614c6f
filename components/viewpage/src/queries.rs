//! Queries: one page of a list, or the row of one car, reservation or payment. Each is one statement.

use crate::{
    car_view::{CarView, number},
    column::Column,
    list_query::ListQuery,
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql::list,
    sql_value::SqlValue,
};
use events::{CarId, PaymentId, ReservationId};

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// How many rows the whole list has.
    pub total: u64,
    /// The rows of the page.
    pub rows: Vec<CarView>,
}

impl<D: Database> ReadModel<D> {
    /// One page of a list.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn list(&self, query: &ListQuery) -> Result<ListPage, DatabaseError> {
        let (statement, parameters) = list::statement(query);
        let rows = self.run(&statement, &parameters).await?;
        let total = rows.first().and_then(|row| row.first()).cloned();
        let rows = rows
            .into_iter()
            .filter(|row| row.get(1) != Some(&SqlValue::Null))
            .map(|row| CarView::from_values(row.into_iter().skip(1)));
        Ok(ListPage {
            total: total.and_then(number).ok_or_else(unexpected_row)?,
            rows: rows
                .map(|row| row.ok_or_else(unexpected_row))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The row of a car; `None` when no such car exists.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn by_car(&self, car_id: CarId) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::CarId, car_id.0).await
    }

    /// The row that shows a reservation; `None` when no row does.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn by_reservation(
        &self,
        rsv_id: ReservationId,
    ) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::RsvId, rsv_id.0).await
    }

    /// The row that shows a payment; `None` when no row does.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn by_payment(&self, pay_id: PaymentId) -> Result<Option<CarView>, DatabaseError> {
        self.one(Column::PayId, pay_id.0).await
    }

    async fn one(&self, column: Column, id: u64) -> Result<Option<CarView>, DatabaseError> {
        let rows = self.run(&list::one(column), &[id.into()]).await?;
        let row = rows.into_iter().next();
        row.map(|row| CarView::from_values(row.into_iter()).ok_or_else(unexpected_row))
            .transpose()
    }
}

fn unexpected_row() -> DatabaseError {
    DatabaseError("a row does not have the columns of the view".into())
}

#[cfg(test)]
mod tests;
