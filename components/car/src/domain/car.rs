//! A car and the rules of booking it.

use super::{
    booking::{Booking, BookingState},
    details::CarDetails,
    period::Period,
    refusal::Refusal,
    status::CarStatus,
};
use events::{CarBookingState, CarDeleted, CarId, CarState, Event, ReservationId};

/// How many revoked holds a car stores one by one. Of more, those of the lowest numbers become one bound: a hold up to it is
/// refused, whether it was revoked or not.
const MAX_REVOKED_HOLDS: usize = 64;

/// A car, or the rest of a deleted one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Car {
    /// The car exists.
    Active {
        /// Its number.
        id: CarId,
        /// What clients set.
        details: CarDetails,
        /// Its bookings; no two overlap.
        bookings: Vec<Booking>,
        /// Reservations whose hold was released before it arrived. A hold that arrives later is refused: its
        /// reservation is over, so the car would stay held.
        revoked_holds: Vec<ReservationId>,
        /// The greatest number of a revoked hold that is not stored by itself; 0 without one.
        revoked_until: ReservationId,
    },
    /// The car was deleted. Its number is not used again.
    Deleted {
        /// Its number.
        id: CarId,
    },
}

/// The car after a transition and its announcement, if it has one; `None` when nothing changes.
pub type Transition = Option<(Car, Option<Event>)>;

impl Car {
    /// A new car and its announcement.
    #[must_use]
    pub fn register(id: CarId, details: CarDetails) -> (Self, Event) {
        let car = Self::Active {
            id,
            details,
            bookings: Vec::new(),
            revoked_holds: Vec::new(),
            revoked_until: ReservationId(0),
        };
        let event = Event::CarRegistered(car.car_state());
        (car, event)
    }

    /// The car with other details and its announcement; `None` when the details are the same.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] for a deleted car.
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

    /// The deleted car and its announcement.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] for a deleted car, [`Refusal::Booked`] for a car with a held or confirmed booking.
    pub fn delete(&self) -> Result<(Self, Event), Refusal> {
        self.details()?;
        let id = self.id();
        if !self.bookings().is_empty() {
            return Err(Refusal::Booked(id));
        }
        let event = Event::CarDeleted(CarDeleted { car_id: id });
        Ok((Self::Deleted { id }, event))
    }

    /// The car held for a reservation; `None` when the reservation has it already.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] for a deleted car; [`Refusal::NotAvailable`] when another booking overlaps or the hold was
    /// revoked.
    pub fn hold(
        &self,
        reservation: ReservationId,
        period: Period,
    ) -> Result<Option<Self>, Refusal> {
        let mut car = self.clone();
        let Self::Active {
            bookings,
            revoked_holds,
            revoked_until,
            ..
        } = &mut car
        else {
            return Err(Refusal::Unknown(self.id()));
        };
        if self.booking(reservation).is_some() {
            return Ok(None);
        }
        let is_overlapped = bookings.iter().any(|other| other.period.overlaps(&period));
        let is_revoked = reservation <= *revoked_until || revoked_holds.contains(&reservation);
        if is_overlapped || is_revoked {
            return Err(Refusal::NotAvailable(self.id()));
        }
        bookings.push(Booking {
            reservation,
            period,
            state: BookingState::Held,
        });
        Ok(Some(car))
    }

    /// Confirms the hold of a reservation. A no-op without a hold: the booking is confirmed already, or the
    /// cancellation arrived before the confirmation.
    #[must_use]
    pub fn confirm(&self, reservation: ReservationId) -> Transition {
        let mut car = self.clone();
        let Self::Active { bookings, .. } = &mut car else {
            return None;
        };
        let booking = bookings.iter_mut().find(|booking| {
            booking.reservation == reservation && booking.state == BookingState::Held
        })?;
        booking.state = BookingState::Confirmed;
        let event = Event::CarReserved(car.booking_state(reservation));
        Some((car, Some(event)))
    }

    /// Removes the booking of a reservation, and announces it if the booking was confirmed. A no-op without a booking.
    #[must_use]
    pub fn remove_booking(&self, reservation: ReservationId) -> Transition {
        let state = self.booking(reservation)?.state;
        let mut car = self.clone();
        if let Self::Active { bookings, .. } = &mut car {
            bookings.retain(|booking| booking.reservation != reservation);
        }
        let event = (state == BookingState::Confirmed)
            .then(|| Event::CarCancelled(car.booking_state(reservation)));
        Some((car, event))
    }

    /// Removes the booking of a reservation or, without a booking, revokes the hold that is still on its way.
    #[must_use]
    pub fn release(&self, reservation: ReservationId) -> Transition {
        if let Some(removed) = self.remove_booking(reservation) {
            return Some(removed);
        }
        let mut car = self.clone();
        let Self::Active {
            revoked_holds,
            revoked_until,
            ..
        } = &mut car
        else {
            return None;
        };
        if reservation <= *revoked_until || revoked_holds.contains(&reservation) {
            return None;
        }
        revoked_holds.push(reservation);
        if revoked_holds.len() > MAX_REVOKED_HOLDS
            && let Some(lowest) = revoked_holds.iter().min().copied()
        {
            *revoked_until = lowest;
            revoked_holds.retain(|revoked| *revoked != lowest);
        }
        Some((car, None))
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> CarId {
        match self {
            Self::Active { id, .. } | Self::Deleted { id } => *id,
        }
    }

    /// What clients set of the car.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`] for a deleted car.
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

    /// Its status: reserved if a booking is confirmed.
    #[must_use]
    pub fn status(&self) -> CarStatus {
        let is_confirmed = |booking: &Booking| booking.state == BookingState::Confirmed;
        match self.bookings().iter().any(is_confirmed) {
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
mod tests;
