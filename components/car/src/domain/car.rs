//! A car of the fleet and the rules of booking it.

use super::{Booking, BookingState, Period};
use events::{CarBookingState, CarDeleted, CarId, CarState, Event, ReservationId};

/// The most characters of a name or a type.
pub const MAX_TEXT: usize = 200;
/// The highest price of one reservation, in won.
pub const MAX_AMOUNT: u64 = 1_000_000_000_000;
/// How many given-up reservations a car remembers; a hold on its way is older than none of them.
const REMEMBERED: usize = 64;

/// What people may say of a car.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
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
    InFleet {
        /// Which car.
        id: CarId,
        /// What people say of it.
        details: Details,
        /// Its bookings; no two overlap.
        bookings: Vec<Booking>,
        /// Reservations that were given up before their hold arrived. A hold that is late must not
        /// keep the car for nobody.
        given_up: Vec<ReservationId>,
    },
    /// It was deleted: its number is not used again.
    Gone {
        /// Which car it was.
        id: CarId,
    },
}

/// What `status` says, which follows from the bookings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
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

// === impl Status ===

impl Status {
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
    pub fn register(id: CarId, details: Details) -> (Self, Event) {
        let car = Self::InFleet {
            id,
            details,
            bookings: Vec::new(),
            given_up: Vec::new(),
        };
        let event = Event::CarRegistered(car.announced());
        (car, event)
    }

    /// The car with other details; `None` when they are the same.
    ///
    /// # Errors
    ///
    /// A car that is gone cannot be modified.
    pub fn modify(&self, details: Details) -> Result<Option<(Self, Event)>, Refusal> {
        if self.details()? == &details {
            return Ok(None);
        }
        let mut car = self.clone();
        if let Self::InFleet { details: old, .. } = &mut car {
            *old = details;
        }
        let event = Event::CarModified(car.announced());
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
            Self::Gone { id },
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
        let Self::InFleet {
            bookings, given_up, ..
        } = &mut car
        else {
            return not_available;
        };
        if given_up.contains(&reservation)
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
        let Self::InFleet { bookings, .. } = &mut car else {
            return None;
        };
        let booking = bookings.iter_mut().find(|booking| {
            booking.reservation == reservation && booking.state == BookingState::Held
        })?;
        booking.state = BookingState::Confirmed;
        let event = Event::CarReserved(car.booked(reservation));
        Some((car, event))
    }

    /// The car without a reservation's booking; `None` when it has none. Announced only if the
    /// booking had been announced.
    #[must_use]
    pub fn free(&self, reservation: ReservationId) -> Option<(Self, Option<Event>)> {
        let state = self.booking(reservation)?.state;
        let mut car = self.clone();
        if let Self::InFleet { bookings, .. } = &mut car {
            bookings.retain(|booking| booking.reservation != reservation);
        }
        let event = (state == BookingState::Confirmed)
            .then(|| Event::CarCancelled(car.booked(reservation)));
        Some((car, event))
    }

    /// Like [`Self::free`], and where there is no booking yet, none will be made.
    #[must_use]
    pub fn give_up(&self, reservation: ReservationId) -> Option<(Self, Option<Event>)> {
        if let Some(freed) = self.free(reservation) {
            return Some(freed);
        }
        let mut car = self.clone();
        let Self::InFleet { given_up, .. } = &mut car else {
            return None;
        };
        if given_up.contains(&reservation) {
            return None;
        }
        given_up.push(reservation);
        let surplus = given_up.len().saturating_sub(REMEMBERED);
        given_up.drain(..surplus);
        Some((car, None))
    }

    /// Which car it is.
    #[must_use]
    pub fn id(&self) -> CarId {
        match self {
            Self::InFleet { id, .. } | Self::Gone { id } => *id,
        }
    }

    /// What people say of it.
    ///
    /// # Errors
    ///
    /// A car that is gone has no details.
    pub fn details(&self) -> Result<&Details, Refusal> {
        match self {
            Self::InFleet { details, .. } => Ok(details),
            Self::Gone { id } => Err(Refusal::Unknown(*id)),
        }
    }

    /// Its bookings, held and confirmed.
    #[must_use]
    pub fn bookings(&self) -> &[Booking] {
        match self {
            Self::InFleet { bookings, .. } => bookings,
            Self::Gone { .. } => &[],
        }
    }

    /// Whether it can be had, as people see it.
    #[must_use]
    pub fn status(&self) -> Status {
        let confirmed = |booking: &Booking| booking.state == BookingState::Confirmed;
        match self.bookings().iter().any(confirmed) {
            true => Status::Reserved,
            false => Status::Available,
        }
    }

    fn booking(&self, reservation: ReservationId) -> Option<&Booking> {
        self.bookings()
            .iter()
            .find(|booking| booking.reservation == reservation)
    }

    fn announced(&self) -> CarState {
        let details = self.details().ok();
        CarState {
            car_id: self.id(),
            car_name: details.map_or_else(String::new, |details| details.name.clone()),
            car_type: details.map_or_else(String::new, |details| details.kind.clone()),
            amount: details.map_or(0, |details| details.amount),
            status: self.status().as_str().into(),
        }
    }

    fn booked(&self, rsv_id: ReservationId) -> CarBookingState {
        CarBookingState {
            car: self.announced(),
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
        let details = Details {
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
        assert_eq!(held().status(), Status::Available);
        let (car, event) = held().confirm(FIRST).unwrap();
        assert_eq!(car.status(), Status::Reserved);
        assert!(matches!(event, Event::CarReserved(booked) if booked.rsv_id == FIRST));
        assert_eq!(car.confirm(FIRST), None);
    }

    #[test]
    fn freeing_announces_only_what_was_announced() {
        assert_eq!(held().free(FIRST).unwrap().1, None);
        let (car, event) = reserved().free(FIRST).unwrap();
        assert!(matches!(event, Some(Event::CarCancelled(_))));
        assert_eq!(car.status(), Status::Available);
        assert_eq!(car.free(FIRST), None);
    }

    #[test]
    fn nobody_frees_the_booking_of_another() {
        assert_eq!(reserved().free(SECOND), None);
    }

    #[test]
    fn a_cancellation_that_overtakes_the_confirmation_wins() {
        let (car, _) = held().free(FIRST).unwrap();
        assert_eq!(car.confirm(FIRST), None);
    }

    #[test]
    fn a_hold_that_arrives_after_it_was_given_up_is_refused() {
        let (car, _) = car().give_up(FIRST).unwrap();
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
        assert_eq!(car.status(), Status::Reserved);
        assert!(
            matches!(event, Event::CarModified(state) if state.amount == 7 && state.status == "reserved")
        );
    }
}
