//! Loading and saving reservations: the one place that knows their keys.

mod record;

use crate::domain::{Refusal, Reservation, Transition};
use events::{CarId, RESERVATION_STREAM, ReservationId, Timestamp};
use kit::{Aggregates, ChangeError, Decision, Origin, Platform, Versioned};

/// The stored reservations of a platform.
pub struct ReservationRepository<'a, P> {
    platform: &'a P,
}

impl<'a, P: Platform> ReservationRepository<'a, P> {
    /// The reservations in the store of `platform`.
    pub fn new(platform: &'a P) -> Self {
        Self { platform }
    }

    /// Loads one reservation; `None` when it does not exist.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails or the stored value cannot be read.
    pub async fn find<R>(
        &self,
        id: ReservationId,
    ) -> Result<Option<Versioned<Reservation>>, ChangeError<R>> {
        self.aggregates().load(&key(id)).await
    }

    /// Creates the reservation `id`, or returns it unchanged when it exists. The caller must own the number.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails.
    pub async fn create<R>(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        let at = self.platform.now();
        let created = self
            .aggregates()
            .with_time(at)
            .change(&key(id), origin, |existing| {
                if existing.is_some() {
                    return Ok(Decision::Keep(()));
                }
                let (reservation, event) = Reservation::request(id, car, at, &origin.causation_id);
                Ok(Decision::Commit(reservation, vec![event], ()))
            })
            .await?;
        created
            .current
            .ok_or_else(|| ChangeError::Contended(key(id)))
    }

    /// Applies one transition and announces it; returns the reservation as it is afterwards.
    ///
    /// `decide` is called again after each lost compare-and-swap. Its second argument is the time of the
    /// transition, which the announced event carries too.
    ///
    /// # Errors
    ///
    /// [`Refusal::Unknown`], what `decide` returns, and [`ChangeError`] when the store fails.
    pub async fn transition<R: From<Refusal>>(
        &self,
        origin: &Origin,
        id: ReservationId,
        mut decide: impl FnMut(&Versioned<Reservation>, Timestamp) -> Result<Transition, R>,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        let at = self.platform.now();
        let changed = self
            .aggregates()
            .with_time(at)
            .change(&key(id), origin, |reservation| {
                let reservation = reservation.ok_or(Refusal::Unknown(id))?;
                Ok(match decide(reservation, at)? {
                    Some((reservation, event)) => Decision::Commit(reservation, vec![event], ()),
                    None => Decision::Keep(()),
                })
            })
            .await?;
        changed
            .current
            .ok_or_else(|| ChangeError::Refused(Refusal::Unknown(id).into()))
    }

    fn aggregates(&self) -> Aggregates<'a, P> {
        Aggregates::new(self.platform, RESERVATION_STREAM, "socar/reservation")
    }
}

fn key(id: ReservationId) -> String {
    format!("reservation/{id}")
}
