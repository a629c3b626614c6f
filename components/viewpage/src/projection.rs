//! The fold: what each event says, and about what.
//!
//! Every event carries the whole state of the thing it speaks of, so the fold needs no row to start
//! from: it names the row, and [`record`] replaces that row unless a later event was there before.
//! The joined rows of the view follow inside the same statement. One event is therefore one
//! transaction: it happens wholly or not, and when it is delivered again it does no harm.

use crate::{Database, DatabaseError, ReadModel, sql::upsert};
use events::{CarId, CarState, CloudEvent, Event, PaymentState, ReservationState};

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowUpdate<'a> {
    /// The car is like this.
    Car(&'a CarState),
    /// The car is no more, and will never be again.
    CarDeleted(CarId),
    /// The reservation stands, was given up or is being decided.
    Reservation(&'a ReservationState),
    /// The reservation was refused: for the view it never was.
    ReservationRejected(&'a ReservationState),
    /// The payment is like this.
    Payment(&'a PaymentState),
}

impl<R: Database> ReadModel<R> {
    /// Takes an event in.
    ///
    /// # Errors
    ///
    /// The database's silence; the event may then be in, and should come again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        let row_update = row_update(&event.event);
        self.apply(row_update, event.sequence, &event.id).await
    }

    /// Takes in what was true of an aggregate from this version on, whoever says so.
    ///
    /// # Errors
    ///
    /// The database's silence; the fact may then be in, and should be told again.
    pub async fn apply(
        &self,
        row_update: RowUpdate<'_>,
        sequence: u64,
        event: &str,
    ) -> Result<(), DatabaseError> {
        let (statement, parameters) = upsert::statement(row_update, sequence, event);
        self.run(statement, &parameters).await.map(drop)
    }
}

/// One arm per event.
#[must_use]
pub fn row_update(event: &Event) -> RowUpdate<'_> {
    match event {
        Event::CarRegistered(car) => RowUpdate::Car(car),
        Event::CarModified(car) => RowUpdate::Car(car),
        Event::CarDeleted(gone) => RowUpdate::CarDeleted(gone.car_id),
        Event::CarReserved(booked) => RowUpdate::Car(&booked.car),
        Event::CarCancelled(booked) => RowUpdate::Car(&booked.car),
        Event::ReservationCreated(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationConfirmed(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationRejected(reservation) => RowUpdate::ReservationRejected(reservation),
        Event::ReservationCancelRequested(reservation) => RowUpdate::Reservation(reservation),
        Event::ReservationCancelled(reservation) => RowUpdate::Reservation(reservation),
        Event::PaymentApproved(payment) => RowUpdate::Payment(payment),
        Event::PaymentCancelled(payment) => RowUpdate::Payment(payment),
    }
}

#[cfg(test)]
mod tests;
