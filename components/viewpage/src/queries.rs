//! Queries: one page of a list, or the row of one car, reservation or payment. Each is one statement.

use crate::{
    authorization,
    car_view::{CarView, number},
    column::Column,
    list_query::ListQuery,
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql::list,
    sql_value::SqlValue,
};
use events::{CarId, PaymentId, ReservationId};
use kit::Principal;

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
        self.page(&statement, &parameters).await
    }

    /// One page of a list as a principal sees it.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn visible_list(
        &self,
        query: &ListQuery,
        principal: &Principal,
    ) -> Result<ListPage, DatabaseError> {
        let customer = principal
            .customer()
            .filter(|_| query.is_about_reservations());
        let mut page = match customer {
            None => self.list(query).await?,
            Some(customer) => {
                let (statement, parameters) = list::of_customer(query, customer);
                self.page(&statement, &parameters).await?
            }
        };
        let rows = page.rows.into_iter();
        page.rows = rows
            .map(|row| authorization::visible(principal, row))
            .collect();
        Ok(page)
    }

    async fn page(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<ListPage, DatabaseError> {
        let rows = self.run(statement, parameters).await?;
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
