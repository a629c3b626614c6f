//! The cars in their store: the stored form, and the one place that knows their keys.

use crate::domain::{Booking, BookingState, Car, CarDetails, Period};
use events::{CAR_STREAM, CarId, ReservationId, Timestamp};
use kit::{
    Aggregates, ChangeError, Decision, Origin, Persistent, Platform, StoreError, Versioned,
    numbering,
};
use serde::{Deserialize, Serialize};

/// All cars of this context.
pub struct CarRepository<P> {
    /// Stores, log and clock.
    pub platform: P,
}

impl<P: Platform> CarRepository<P> {
    /// The cars of `platform`.
    pub fn new(platform: P) -> Self {
        Self { platform }
    }

    /// Reads one car, also one that is gone.
    ///
    /// # Errors
    ///
    /// The store's silence, or a value that cannot be read.
    pub async fn find<R>(&self, id: CarId) -> Result<Option<Versioned<Car>>, ChangeError<R>> {
        self.aggregates().load(&key(id)).await
    }

    /// Changes one car and announces it; returns the car as it then is. An absent car is left alone
    /// unless `decide` makes it.
    ///
    /// # Errors
    ///
    /// What `decide` refuses, and what the store cannot do.
    pub async fn change<R>(
        &self,
        id: CarId,
        origin: &Origin,
        decide: impl FnMut(Option<&Versioned<Car>>) -> Result<Decision<Car, ()>, R>,
    ) -> Result<Option<Versioned<Car>>, ChangeError<R>> {
        let changed = self.aggregates().change(&key(id), origin, decide).await?;
        if let Some(Car::Deleted { id }) = changed.current.as_ref().map(|car| &car.state) {
            // Should this fail, the next list that meets the car does it.
            let _ = self.retire(*id).await;
        }
        Ok(changed.current)
    }

    /// Takes a deleted car out of every page.
    ///
    /// # Errors
    ///
    /// The store's silence.
    pub async fn retire(&self, id: CarId) -> Result<(), StoreError> {
        numbering::retire(&self.platform, id.0).await
    }

    fn aggregates(&self) -> Aggregates<'_, P> {
        Aggregates::new(&self.platform, CAR_STREAM, "socar/car")
    }
}

fn key(id: CarId) -> String {
    format!("car/{id}")
}

/// How a car is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum CarRecord {
    /// [`Car::Active`].
    #[serde(rename = "inFleet", rename_all = "camelCase")]
    Active {
        /// Which car.
        car_id: CarId,
        /// Its name.
        car_name: String,
        /// Its type.
        car_type: String,
        /// Price of one reservation, in won.
        amount: u64,
        /// Held and confirmed bookings.
        #[serde(default)]
        bookings: Vec<BookingRecord>,
        /// Reservations whose hold must be refused.
        #[serde(default, rename = "givenUp")]
        revoked_holds: Vec<ReservationId>,
    },
    /// [`Car::Deleted`].
    #[serde(rename = "gone", rename_all = "camelCase")]
    Deleted {
        /// Which car it was.
        car_id: CarId,
    },
}

/// How a booking is stored.
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
            } => CarRecord::Active {
                car_id: id,
                car_name: details.name,
                car_type: details.kind,
                amount: details.amount,
                bookings: bookings.iter().map(BookingRecord::from).collect(),
                revoked_holds,
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
            } => Self::Active {
                id: car_id,
                details: CarDetails {
                    name: car_name,
                    kind: car_type,
                    amount,
                },
                bookings: bookings.into_iter().map(Booking::from).collect(),
                revoked_holds,
            },
            CarRecord::Deleted { car_id } => Self::Deleted { id: car_id },
        }
    }
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
