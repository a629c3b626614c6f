//! The projection: which base row each event updates.
//!
//! Every event carries the whole state of its aggregate, so the projection needs no row to start from: it names the row,
//! and [`upsert`] replaces that row unless a later event did so before. Triggers update the joined rows inside the same
//! statement. One event is therefore one transaction: it takes effect wholly or not at all, and a second delivery changes
//! nothing.

use crate::{
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql::{
        charges,
        upsert::{self, RowUpdate},
    },
};
use events::{CloudEvent, CustomerId, Event, ReservationId};

impl<D: Database> ReadModel<D> {
    /// Projects an event. Idempotent, in any order with other events.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails. The event may then be projected, and must be delivered again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        let update = row_update(&event.event);
        self.record_owner(&event.event).await?;
        self.record_charge(event).await?;
        self.apply(update, event.sequence, &event.id).await
    }

    /// Projects an event in one statement, if this generation serves queries and no rebuild fills another one. Returns
    /// whether it did; it also does not if a later event of the aggregate came before.
    ///
    /// # Errors
    ///
    /// As [`Self::project`].
    pub(crate) async fn project_if_settled(
        &self,
        event: &CloudEvent,
    ) -> Result<bool, DatabaseError> {
        let update = row_update(&event.event);
        self.record_owner(&event.event).await?;
        self.record_charge(event).await?;
        let (statement, parameters) =
            upsert::settled_statement(update, event.sequence, &event.id, self.generation);
        Ok(!self.run(&statement, &parameters).await?.is_empty())
    }

    /// Records the customer of a reservation, before the reservation itself becomes visible.
    async fn record_owner(&self, event: &Event) -> Result<(), DatabaseError> {
        let Some((reservation, customer)) = owner(event) else {
            return Ok(());
        };
        let (statement, parameters) = upsert::owner_statement(reservation, customer);
        self.run(statement, &parameters).await.map(drop)
    }

    /// Records what the event of a payment says of its charge.
    async fn record_charge(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        match charges::statement(event) {
            Some((statement, parameters)) => self.run(statement, &parameters).await.map(drop),
            None => Ok(()),
        }
    }

    /// Updates a base row with the state of an aggregate at version `sequence`. `event` is the id of the event that
    /// carries the state, or empty.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails. The update may then be applied, and must be repeated.
    pub async fn apply(
        &self,
        update: RowUpdate<'_>,
        sequence: u64,
        event: &str,
    ) -> Result<(), DatabaseError> {
        let (statement, parameters) = upsert::statement(update, sequence, event);
        self.run(statement, &parameters).await.map(drop)
    }
}

/// The customer that an event names, and the reservation.
fn owner(event: &Event) -> Option<(ReservationId, &CustomerId)> {
    let reservation = match event {
        Event::ReservationCreated(reservation)
        | Event::ReservationConfirmed(reservation)
        | Event::ReservationRejected(reservation)
        | Event::ReservationCancelRequested(reservation)
        | Event::ReservationCancelled(reservation) => reservation,
        _ => return None,
    };
    Some((reservation.rsv_id, reservation.customer_id.as_ref()?))
}

/// The update of each event, one arm per event.
#[must_use]
pub fn row_update(event: &Event) -> RowUpdate<'_> {
    match event {
        Event::CarRegistered(car) => RowUpdate::Car(car),
        Event::CarModified(car) => RowUpdate::Car(car),
        Event::CarDeleted(deleted) => RowUpdate::CarDeleted(deleted.car_id),
        Event::CarReserved(booking) => RowUpdate::Car(&booking.car),
        Event::CarCancelled(booking) => RowUpdate::Car(&booking.car),
        Event::ReservationCreated(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationConfirmed(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationRejected(reservation) => RowUpdate::RejectedReservation(reservation),
        Event::ReservationCancelRequested(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationCancelled(reservation) => RowUpdate::Reservation(reservation),
        Event::PaymentApproved(payment) => RowUpdate::Payment(payment),
        Event::PaymentCancelled(payment) => RowUpdate::Payment(payment),
    }
}

#[cfg(test)]
mod tests;
