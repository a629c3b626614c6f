//! Loading and saving reservations: the one place that knows their keys.

mod record;

use crate::cause_of::cause_of;
use crate::domain::{Refusal, Reservation, SagaToken, Transition};
use events::{CarId, CustomerId, RESERVATION_STREAM, ReservationId, Timestamp};
use kit::{
    Aggregates, ChangeError, Decision, LogError, NumberIndex, Origin, Platform, StoreError,
    Versioned, aggregate::ChangeOutcome, numbering,
};

/// A reservation after its creation.
pub struct CreatedReservation {
    /// The reservation.
    pub reservation: Versioned<Reservation>,
    /// Whether the creation was announced. If not, the outbox sweep announces it.
    pub announced: Result<(), LogError>,
}

/// The stored reservations of a platform.
pub struct ReservationRepository<'a, P> {
    platform: &'a P,
}

impl<'a, P: Platform> ReservationRepository<'a, P> {
    /// The reservations in the store of `platform`.
    pub fn new(platform: &'a P) -> Self {
        Self { platform }
    }

    /// Allocates the number of a new reservation.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the number may then be lost.
    pub async fn allocate_number(&self) -> Result<u64, StoreError> {
        numbering::allocate(self.platform, |number| key(ReservationId(number))).await
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

    /// Adds the reservation `id` to the list of its car. This comes before its creation, so that no crash leaves a
    /// reservation out of the list.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn list_for_car(&self, id: ReservationId, car: CarId) -> Result<(), StoreError> {
        self.of_car(car).add(id.0).await
    }

    /// Adds the reservation `id` to the list of its customer, as [`Self::list_for_car`] does for its car.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn list_for_customer(
        &self,
        id: ReservationId,
        customer: &CustomerId,
    ) -> Result<(), StoreError> {
        self.of_customer(customer).add(id.0).await
    }

    /// The index of the reservations of a customer.
    pub fn of_customer(&self, customer: &CustomerId) -> NumberIndex<'a, P> {
        NumberIndex::new(self.platform, "customer", customer)
    }

    /// The index of the reservations of a car.
    pub fn of_car(&self, car: CarId) -> NumberIndex<'a, P> {
        NumberIndex::new(self.platform, "car", car.0)
    }

    /// Creates the reservation `id` as requested at the time `at`, or returns it unchanged when it exists. The caller must
    /// own the number.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails.
    pub async fn create<R>(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        customer: Option<&CustomerId>,
        saga: &SagaToken,
        at: Timestamp,
    ) -> Result<CreatedReservation, ChangeError<R>> {
        let aggregates = self.aggregates().with_time(at);
        let mut created = aggregates
            .commit(&key(id), origin, |existing| {
                if existing.is_some() {
                    return Ok(Decision::Keep(()));
                }
                let cause = cause_of(origin);
                let (reservation, event) = Reservation::request(id, car, customer, saga, at, cause);
                Ok(Decision::Commit(reservation, vec![event], ()))
            })
            .await?;
        let announced = aggregates.publish(&mut created).await;
        let reservation = created.current;
        Ok(CreatedReservation {
            reservation: reservation.ok_or_else(|| ChangeError::Contended(key(id)))?,
            announced,
        })
    }

    /// Applies one transition and announces it; returns the reservation as it is afterwards. If the log fails, the
    /// outbox sweep announces the transition.
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
        decide: impl FnMut(&Versioned<Reservation>, Timestamp) -> Result<Transition, R>,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        let mut changed = self.commit(origin, id, decide).await?;
        // The outbox sweep repeats a failed publication.
        let _ = self.aggregates().publish(&mut changed).await;
        current(id, changed)
    }

    /// Applies one transition and leaves its announcement to the outbox sweep, for a log that has just failed.
    ///
    /// # Errors
    ///
    /// As [`Self::transition`].
    pub async fn transition_unannounced<R: From<Refusal>>(
        &self,
        origin: &Origin,
        id: ReservationId,
        decide: impl FnMut(&Versioned<Reservation>, Timestamp) -> Result<Transition, R>,
    ) -> Result<Versioned<Reservation>, ChangeError<R>> {
        current(id, self.commit(origin, id, decide).await?)
    }

    async fn commit<R: From<Refusal>>(
        &self,
        origin: &Origin,
        id: ReservationId,
        mut decide: impl FnMut(&Versioned<Reservation>, Timestamp) -> Result<Transition, R>,
    ) -> Result<ChangeOutcome<Reservation, ()>, ChangeError<R>> {
        let at = self.platform.now();
        let decide = |reservation: Option<&Versioned<Reservation>>| {
            let reservation = reservation.ok_or(Refusal::Unknown(id))?;
            Ok(match decide(reservation, at)? {
                Some((reservation, event)) => Decision::Commit(reservation, vec![event], ()),
                None => Decision::Keep(()),
            })
        };
        self.aggregates()
            .with_time(at)
            .commit(&key(id), origin, decide)
            .await
    }

    fn aggregates(&self) -> Aggregates<'a, P> {
        Aggregates::new(self.platform, RESERVATION_STREAM, "socar/reservation")
    }
}

fn current<R: From<Refusal>>(
    id: ReservationId,
    changed: ChangeOutcome<Reservation, ()>,
) -> Result<Versioned<Reservation>, ChangeError<R>> {
    let unknown = || ChangeError::Refused(Refusal::Unknown(id).into());
    changed.current.ok_or_else(unknown)
}

fn key(id: ReservationId) -> String {
    format!("reservation/{id}")
}
