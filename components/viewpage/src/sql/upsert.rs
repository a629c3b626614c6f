//! Writing down what an event says: one guarded upsert of one base row.
//!
//! The guard compares, in this order: whether the thing is gone (which nothing undoes), the
//! aggregate's version, and the event's id, which tells events of one commit apart. The greatest
//! wins, whatever came first, so any order of the same events ends in the same row.

use crate::{SqlValue, projection::RowUpdate};

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

/// The payment says itself which reservation it pays, so nobody needs the reservation's word for it.
const PAYMENT: &str = "
    INSERT INTO $payments (sequence, event, payId, rsvId, status)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (payId) DO UPDATE SET
      sequence = excluded.sequence, event = excluded.event, rsvId = excluded.rsvId, status = excluded.status
    WHERE (excluded.sequence, excluded.event) > (sequence, event)";

/// The statement that writes `fact` down, as of this version and event of its aggregate, and its
/// parameters.
#[must_use]
pub fn statement(
    row_update: RowUpdate<'_>,
    sequence: u64,
    event: &str,
) -> (&'static str, Vec<SqlValue>) {
    let sequence = SqlValue::from(sequence);
    let event = SqlValue::from(event);
    match row_update {
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
        RowUpdate::Reservation(reservation) | RowUpdate::ReservationRejected(reservation) => (
            RESERVATION,
            vec![
                matches!(row_update, RowUpdate::ReservationRejected(_)).into(),
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
