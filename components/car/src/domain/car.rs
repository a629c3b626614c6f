//! A car of the fleet and the rules of booking it.

use super::{Booking, BookingState, Period};
use events::{CarBookingState, CarDeleted, CarId, CarState, Event, ReservationId};

/// The most characters of a name or a type.
pub const MAX_TEXT: usize = 200;
/// The highest price of one reservation, in won.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;
/// How many given-up reservations a car remembers; a hold on its way is older than none of them.
const MAX_REVOKED_HOLDS: usize = 64;

/// What people may say of a car.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarDetails {
    /// Its name, 1 to [`MAX_TEXT`] characters.
    pub name: String,
    /// Its type, up to [`MAX_TEXT`] characters.
    pub kind: String,
    /// Price of one reservation in won, up to [`MAX_AMOUNT`].
    pub amount: u64,
}

/// A car, or what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Car {
    /// It can be booked.
    Active {
        /// Which car.
        id: CarId,
        /// What people say of it.
        details: CarDetails,
        /// Its bookings; no two overlap.
        bookings: Vec<Booking>,
        /// Reservations that were given up before their hold arrived. A hold that is late must not
        /// keep the car for nobody.
        revoked_holds: Vec<ReservationId>,
    },
    /// It was deleted: its number is not used again.
    Deleted {
        /// Which car it was.
        id: CarId,
    },
}

/// What `status` says, which follows from the bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarStatus {
    /// No confirmed booking.
    Available,
    /// A confirmed booking.
    Reserved,
}

/// Why the car says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such car.
    Unknown(CarId),
    /// Another booking overlaps, or this one was given up.
    NotAvailable(CarId),
    /// A car with a live booking stays.
    Booked(CarId),
}

// === impl CarStatus ===

impl CarStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Reserved => "reserved",
        }
    }
}

// === impl Car ===

impl Car {
    /// A new car and its announcement.
    #[must_use]
    pub fn register(id: CarId, details: CarDetails) -> (Self, Event) {
        let car = Self::Active {
            id,
            details,
            bookings: Vec::new(),
            revoked_holds: Vec::new(),
        };
        let event = Event::CarRegistered(car.car_state());
        (car, event)
    }

    /// The car with other details; `None` when they are the same.
    ///
    /// # Errors
    ///
    /// A car that is gone cannot be modified.
    pub fn modify(&self, details: CarDetails) -> Result<Option<(Self, Event)>, Refusal> {
        if self.details()? == &details {
            return Ok(None);
        }
        let mut car = self.clone();
        if let Self::Active { details: old, .. } = &mut car {
            *old = details;
        }
        let event = Event::CarModified(car.car_state());
        Ok(Some((car, event)))
    }

    /// The end of the car.
    ///
    /// # Errors
    ///
    /// A car with a live booking, held or confirmed, stays.
    pub fn delete(&self) -> Result<(Self, Event), Refusal> {
        self.details()?;
        let id = self.id();
        if !self.bookings().is_empty() {
            return Err(Refusal::Booked(id));
        }
        Ok((
            Self::Deleted { id },
            Event::CarDeleted(CarDeleted { car_id: id }),
        ))
    }

    /// The car held for a reservation; `None` when it is already.
    ///
    /// # Errors
    ///
    /// A car that is gone, one whose bookings overlap, and a reservation that was given up.
    pub fn hold(
        &self,
        reservation: ReservationId,
        period: Period,
    ) -> Result<Option<Self>, Refusal> {
        self.details()?;
        let not_available = Err(Refusal::NotAvailable(self.id()));
        if self.booking(reservation).is_some() {
            return Ok(None);
        }
        let mut car = self.clone();
        let Self::Active {
            bookings,
            revoked_holds,
            ..
        } = &mut car
        else {
            return not_available;
        };
        if revoked_holds.contains(&reservation)
            || bookings.iter().any(|other| other.period.overlaps(&period))
        {
            return not_available;
        }
        bookings.push(Booking {
            reservation,
            period,
            state: BookingState::Held,
        });
        Ok(Some(car))
    }

    /// The car with a reservation's hold turned into a booking; `None` when there is no hold: it is
    /// confirmed already, or the cancellation overtook the confirmation.
    #[must_use]
    pub fn confirm(&self, reservation: ReservationId) -> Option<(Self, Event)> {
        let mut car = self.clone();
        let Self::Active { bookings, .. } = &mut car else {
            return None;
        };
        let booking = bookings.iter_mut().find(|booking| {
            booking.reservation == reservation && booking.state == BookingState::Held
        })?;
        booking.state = BookingState::Confirmed;
        let event = Event::CarReserved(car.booking_state(reservation));
        Some((car, event))
    }

    /// The car without a reservation's booking; `None` when it has none. Announced only if the
    /// booking had been announced.
    #[must_use]
    pub fn remove_booking(&self, reservation: ReservationId) -> Option<(Self, Option<Event>)> {
        let state = self.booking(reservation)?.state;
        let mut car = self.clone();
        if let Self::Active { bookings, .. } = &mut car {
            bookings.retain(|booking| booking.reservation != reservation);
        }
        let event = (state == BookingState::Confirmed)
            .then(|| Event::CarCancelled(car.booking_state(reservation)));
        Some((car, event))
    }

    /// Like [`Self::free`], and where there is no booking yet, none will be made.
    #[must_use]
    pub fn release(&self, reservation: ReservationId) -> Option<(Self, Option<Event>)> {
        if let Some(freed) = self.remove_booking(reservation) {
            return Some(freed);
        }
        let mut car = self.clone();
        let Self::Active { revoked_holds, .. } = &mut car else {
            return None;
        };
        if revoked_holds.contains(&reservation) {
            return None;
        }
        revoked_holds.push(reservation);
        let surplus = revoked_holds.len().saturating_sub(MAX_REVOKED_HOLDS);
        revoked_holds.drain(..surplus);
        Some((car, None))
    }

    /// Which car it is.
    #[must_use]
    pub fn id(&self) -> CarId {
        match self {
            Self::Active { id, .. } | Self::Deleted { id } => *id,
        }
    }

    /// What people say of it.
    ///
    /// # Errors
    ///
    /// A car that is gone has no details.
    pub fn details(&self) -> Result<&CarDetails, Refusal> {
        match self {
            Self::Active { details, .. } => Ok(details),
            Self::Deleted { id } => Err(Refusal::Unknown(*id)),
        }
    }

    /// Its bookings, held and confirmed.
    #[must_use]
    pub fn bookings(&self) -> &[Booking] {
        match self {
            Self::Active { bookings, .. } => bookings,
            Self::Deleted { .. } => &[],
        }
    }

    /// Whether it can be had, as people see it.
    #[must_use]
    pub fn status(&self) -> CarStatus {
        let confirmed = |booking: &Booking| booking.state == BookingState::Confirmed;
        match self.bookings().iter().any(confirmed) {
            true => CarStatus::Reserved,
            false => CarStatus::Available,
        }
    }

    fn booking(&self, reservation: ReservationId) -> Option<&Booking> {
        self.bookings()
            .iter()
            .find(|booking| booking.reservation == reservation)
    }

    fn car_state(&self) -> CarState {
        let details = self.details().ok();
        CarState {
            car_id: self.id(),
            car_name: details.map_or_else(String::new, |details| details.name.clone()),
            car_type: details.map_or_else(String::new, |details| details.kind.clone()),
            amount: details.map_or(0, |details| details.amount),
            status: self.status().as_str().into(),
        }
    }

    fn booking_state(&self, rsv_id: ReservationId) -> CarBookingState {
        CarBookingState {
            car: self.car_state(),
            rsv_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ReservationId = ReservationId(1);
    const SECOND: ReservationId = ReservationId(2);

    fn car() -> Car {
        let details = CarDetails {
            name: "Kia".into(),
            kind: "EV".into(),
            amount: 100,
        };
        Car::register(CarId(1), details).0
    }

    fn held() -> Car {
        car().hold(FIRST, Period::OPEN).unwrap().unwrap()
    }

    fn reserved() -> Car {
        held().confirm(FIRST).unwrap().0
    }

    #[test]
    fn a_car_has_one_live_booking_at_a_time() {
        let refused = held().hold(SECOND, Period::OPEN);
        assert_eq!(refused, Err(Refusal::NotAvailable(CarId(1))));
        assert!(reserved().hold(SECOND, Period::OPEN).is_err());
    }

    #[test]
    fn bookings_whose_periods_do_not_overlap_stand_side_by_side() {
        let at = |millis| Some(events::Timestamp::from_millis(millis));
        let monday = Period::new(at(1), at(2)).unwrap();
        let tuesday = Period::new(at(2), at(3)).unwrap();
        let car = car().hold(FIRST, monday).unwrap().unwrap();
        let car = car.hold(SECOND, tuesday).unwrap().unwrap();
        assert!(car.hold(ReservationId(3), monday).is_err());
        assert_eq!(car.bookings().len(), 2);
    }

    #[test]
    fn holding_twice_for_one_reservation_is_holding_once() {
        assert_eq!(held().hold(FIRST, Period::OPEN), Ok(None));
        assert_eq!(reserved().hold(FIRST, Period::OPEN), Ok(None));
    }

    #[test]
    fn a_car_is_reserved_when_the_reservation_is_confirmed() {
        assert_eq!(held().status(), CarStatus::Available);
        let (car, event) = held().confirm(FIRST).unwrap();
        assert_eq!(car.status(), CarStatus::Reserved);
        assert!(matches!(event, Event::CarReserved(booked) if booked.rsv_id == FIRST));
        assert_eq!(car.confirm(FIRST), None);
    }

    #[test]
    fn freeing_announces_only_what_was_announced() {
        assert_eq!(held().remove_booking(FIRST).unwrap().1, None);
        let (car, event) = reserved().remove_booking(FIRST).unwrap();
        assert!(matches!(event, Some(Event::CarCancelled(_))));
        assert_eq!(car.status(), CarStatus::Available);
        assert_eq!(car.remove_booking(FIRST), None);
    }

    #[test]
    fn nobody_frees_the_booking_of_another() {
        assert_eq!(reserved().remove_booking(SECOND), None);
    }

    #[test]
    fn a_cancellation_that_overtakes_the_confirmation_wins() {
        let (car, _) = held().remove_booking(FIRST).unwrap();
        assert_eq!(car.confirm(FIRST), None);
    }

    #[test]
    fn a_hold_that_arrives_after_it_was_given_up_is_refused() {
        let (car, _) = car().release(FIRST).unwrap();
        assert!(car.hold(FIRST, Period::OPEN).is_err());
        assert!(car.hold(SECOND, Period::OPEN).is_ok());
    }

    #[test]
    fn a_car_with_a_live_booking_is_not_deleted() {
        assert_eq!(held().delete(), Err(Refusal::Booked(CarId(1))));
        let (gone, _) = car().delete().unwrap();
        assert_eq!(
            gone.hold(FIRST, Period::OPEN),
            Err(Refusal::Unknown(CarId(1)))
        );
        assert_eq!(gone.delete(), Err(Refusal::Unknown(CarId(1))));
    }

    #[test]
    fn modifying_keeps_the_bookings() {
        let mut details = reserved().details().unwrap().clone();
        assert_eq!(reserved().modify(details.clone()), Ok(None));
        details.amount = 7;
        let (car, event) = reserved().modify(details).unwrap().unwrap();
        assert_eq!(car.status(), CarStatus::Reserved);
        assert!(
            matches!(event, Event::CarModified(state) if state.amount == 7 && state.status == "reserved")
        );
    }
}
