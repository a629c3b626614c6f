//! The fold: what each event says, and about what.
//!
//! Every event carries the whole state of the thing it speaks of, so the fold needs no row to start
//! from: it names the row, and [`record`] replaces that row unless a later event was there before.
//! The joined rows of the view follow inside the same statement. One event is therefore one
//! transaction: it happens wholly or not, and when it is delivered again it does no harm.

use crate::{ReadModel, Rows, RowsError, sql::record};
use events::{CarId, CarState, CloudEvent, Event, PaymentState, ReservationState};

/// What an event says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// The car is like this.
    Car(&'a CarState),
    /// The car is no more, and will never be again.
    CarGone(CarId),
    /// The reservation stands, was given up or is being decided.
    Reservation(&'a ReservationState),
    /// The reservation was refused: for the view it never was.
    Rejected(&'a ReservationState),
    /// The payment is like this.
    Payment(&'a PaymentState),
}

impl<R: Rows> ReadModel<R> {
    /// Takes an event in.
    ///
    /// # Errors
    ///
    /// The database's silence; the event may then be in, and should come again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), RowsError> {
        let fact = fact(&event.event);
        self.learn(fact, event.sequence, &event.id).await
    }

    /// Takes in what was true of an aggregate from this version on, whoever says so.
    ///
    /// # Errors
    ///
    /// The database's silence; the fact may then be in, and should be told again.
    pub async fn learn(&self, fact: Fact<'_>, sequence: u64, event: &str) -> Result<(), RowsError> {
        let (statement, parameters) = record::statement(fact, sequence, event);
        self.run(statement, &parameters).await.map(drop)
    }
}

/// One arm per event.
#[must_use]
pub fn fact(event: &Event) -> Fact<'_> {
    match event {
        Event::CarRegistered(car) => Fact::Car(car),
        Event::CarModified(car) => Fact::Car(car),
        Event::CarDeleted(gone) => Fact::CarGone(gone.car_id),
        Event::CarReserved(booked) => Fact::Car(&booked.car),
        Event::CarCancelled(booked) => Fact::Car(&booked.car),
        Event::ReservationCreated(reservation) => Fact::Reservation(reservation),
        Event::ReservationConfirmed(reservation) => Fact::Reservation(reservation),
        Event::ReservationRejected(reservation) => Fact::Rejected(reservation),
        Event::ReservationCancelRequested(reservation) => Fact::Reservation(reservation),
        Event::ReservationCancelled(reservation) => Fact::Reservation(reservation),
        Event::PaymentApproved(payment) => Fact::Payment(payment),
        Event::PaymentCancelled(payment) => Fact::Payment(payment),
    }
}

#[cfg(test)]
mod tests;
