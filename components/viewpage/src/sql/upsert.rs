//! One guarded upsert of one base row.
//!
//! The guard compares, in this order: whether the aggregate is deleted (which is final), its version, and the event's id,
//! which distinguishes the events of one commit. The greatest wins, whatever came first, so any order of the same updates
//! ends in the same row.

use crate::{
    generation::{ReadModelGeneration, SCHEMA_VERSION},
    sql_value::SqlValue,
};
use events::{CarId, CarState, CustomerId, PaymentState, ReservationId, ReservationState};

const CAR: &str = "
    INSERT INTO $cars (gone, sequence, event, carId, carName, carType, amount, status)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (carId) DO UPDATE SET
      gone = excluded.gone, sequence = excluded.sequence, event = excluded.event,
      carName = excluded.carName, carType = excluded.carType, amount = excluded.amount, status = excluded.status
    WHERE (excluded.gone, excluded.sequence, excluded.event) > (gone, sequence, event)";

const RESERVATION: &str = "
    INSERT INTO $reservations (rejected, sequence, event, rsvId, carId, status)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (rsvId) DO UPDATE SET
      rejected = excluded.rejected, sequence = excluded.sequence, event = excluded.event,
      carId = excluded.carId, status = excluded.status
    WHERE (excluded.sequence, excluded.event) > (sequence, event)";

/// The payment itself names its reservation, so it can be stored before the reservation is.
const PAYMENT: &str = "
    INSERT INTO $payments (sequence, event, payId, rsvId, status)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (payId) DO UPDATE SET
      sequence = excluded.sequence, event = excluded.event, rsvId = excluded.rsvId, status = excluded.status
    WHERE (excluded.sequence, excluded.event) > (sequence, event)";

/// The statement that records the customer of a reservation, which never changes, and its parameters.
#[must_use]
pub fn owner_statement(
    reservation: ReservationId,
    customer: &CustomerId,
) -> (&'static str, Vec<SqlValue>) {
    let parameters = vec![reservation.0.into(), SqlValue::from(customer.0.as_str())];
    ("INSERT OR IGNORE INTO $owners VALUES (?1, ?2)", parameters)
}

/// An update of one base row: the state of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowUpdate<'a> {
    /// The state of a car.
    Car(&'a CarState),
    /// A car was deleted. Final.
    CarDeleted(CarId),
    /// The state of a reservation that is not rejected.
    Reservation(&'a ReservationState),
    /// The state of a rejected reservation, which the view does not show.
    RejectedReservation(&'a ReservationState),
    /// The state of a payment.
    Payment(&'a PaymentState),
}

/// The statement that applies an update only while `generation` serves queries and no rebuild fills another one, and its
/// parameters. It returns a row if it has changed one.
#[must_use]
pub fn settled_statement(
    update: RowUpdate<'_>,
    sequence: u64,
    event: &str,
    generation: ReadModelGeneration,
) -> (String, Vec<SqlValue>) {
    let (text, mut parameters) = statement(update, sequence, event);
    parameters.push(generation.number().into());
    let condition = format!(
        "WHERE (SELECT answering = ?{} AND filling IS NULL FROM generations WHERE shape = '{SCHEMA_VERSION}')",
        parameters.len()
    );
    // VALUES takes no condition.
    let text = text.replacen("VALUES (", "SELECT ", 1);
    let text = text.replacen(
        ")\n    ON CONFLICT",
        &format!("\n    {condition}\n    ON CONFLICT"),
        1,
    );
    (text + "\n    RETURNING 1", parameters)
}

/// The statement of an update and its parameters. `sequence` is the version of the aggregate, `event` the id of the event
/// that carries the state, or empty.
#[must_use]
pub fn statement(
    update: RowUpdate<'_>,
    sequence: u64,
    event: &str,
) -> (&'static str, Vec<SqlValue>) {
    let sequence = SqlValue::from(sequence);
    let event = SqlValue::from(event);
    match update {
        RowUpdate::Car(car) => (
            CAR,
            vec![
                false.into(),
                sequence,
                event,
                car.car_id.0.into(),
                car.car_name.as_str().into(),
                car.car_type.as_str().into(),
                car.amount.into(),
                car.status.as_str().into(),
            ],
        ),
        RowUpdate::CarDeleted(car_id) => (
            CAR,
            vec![
                true.into(),
                sequence,
                event,
                car_id.0.into(),
                "".into(),
                "".into(),
                0_i64.into(),
                "".into(),
            ],
        ),
        RowUpdate::Reservation(reservation) | RowUpdate::RejectedReservation(reservation) => (
            RESERVATION,
            vec![
                matches!(update, RowUpdate::RejectedReservation(_)).into(),
                sequence,
                event,
                reservation.rsv_id.0.into(),
                reservation.car_id.0.into(),
                reservation.status.as_str().into(),
            ],
        ),
        RowUpdate::Payment(payment) => (
            PAYMENT,
            vec![
                sequence,
                event,
                payment.pay_id.0.into(),
                payment.rsv_id.0.into(),
                payment.status.as_str().into(),
            ],
        ),
    }
}
