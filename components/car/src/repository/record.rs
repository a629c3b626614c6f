//! The stored form of a car. Its JSON is in existing databases: fields may be added with a default, and never renamed.

use crate::domain::{Booking, BookingState, Car, CarDetails, Period};
use events::{CarId, ReservationId, Timestamp};
use kit::Persistent;
use serde::{Deserialize, Serialize};

/// A car as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum CarRecord {
    /// [`Car::Active`].
    #[serde(rename = "inFleet", rename_all = "camelCase")]
    Active {
        /// Its number.
        car_id: CarId,
        /// Its name.
        car_name: String,
        /// Its type.
        car_type: String,
        /// The price of one reservation, in won.
        amount: u64,
        /// Held and confirmed bookings.
        #[serde(default)]
        bookings: Vec<BookingRecord>,
        /// Reservations whose hold is refused.
        #[serde(default, rename = "givenUp")]
        revoked_holds: Vec<ReservationId>,
        /// The reservations up to this one whose hold is refused.
        #[serde(default, skip_serializing_if = "is_zero")]
        revoked_until: u64,
    },
    /// [`Car::Deleted`].
    #[serde(rename = "gone", rename_all = "camelCase")]
    Deleted {
        /// Its number.
        car_id: CarId,
    },
}

/// A booking as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingRecord {
    rsv_id: ReservationId,
    confirmed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Persistent for Car {
    type Record = CarRecord;

    fn to_record(&self) -> CarRecord {
        match self.clone() {
            Self::Active {
                id,
                details,
                bookings,
                revoked_holds,
                revoked_until,
            } => CarRecord::Active {
                car_id: id,
                car_name: details.name,
                car_type: details.kind,
                amount: details.amount,
                bookings: bookings.iter().map(BookingRecord::from).collect(),
                revoked_holds,
                revoked_until: revoked_until.0,
            },
            Self::Deleted { id } => CarRecord::Deleted { car_id: id },
        }
    }

    fn from_record(record: CarRecord) -> Self {
        match record {
            CarRecord::Active {
                car_id,
                car_name,
                car_type,
                amount,
                bookings,
                revoked_holds,
                revoked_until,
            } => Self::Active {
                id: car_id,
                details: CarDetails {
                    name: car_name,
                    kind: car_type,
                    amount,
                },
                bookings: bookings.into_iter().map(Booking::from).collect(),
                revoked_holds,
                revoked_until: ReservationId(revoked_until),
            },
            CarRecord::Deleted { car_id } => Self::Deleted { id: car_id },
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<&Booking> for BookingRecord {
    fn from(booking: &Booking) -> Self {
        Self {
            rsv_id: booking.reservation,
            confirmed: booking.state == BookingState::Confirmed,
            from: booking.period.from(),
            until: booking.period.until(),
        }
    }
}

impl From<BookingRecord> for Booking {
    fn from(record: BookingRecord) -> Self {
        Self {
            reservation: record.rsv_id,
            period: Period::new(record.from, record.until).unwrap_or(Period::OPEN),
            state: match record.confirmed {
                true => BookingState::Confirmed,
                false => BookingState::Held,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn round_trip(stored: &Value) -> Value {
        let record: CarRecord = serde_json::from_value(stored.clone()).unwrap();
        serde_json::to_value(Car::from_record(record).to_record()).unwrap()
    }

    #[test]
    fn the_stored_form_does_not_change() {
        for stored in [
            json!({
                "state": "inFleet", "carId": 1, "carName": "Kia", "carType": "EV", "amount": 5,
                "bookings": [{"rsvId": 7, "confirmed": true}], "givenUp": [8],
            }),
            json!({"state": "gone", "carId": 1}),
        ] {
            assert_eq!(round_trip(&stored), stored);
        }
    }
}
