//! Reserve: the synchronous half of the saga. Store the reservation, hold the car, approve the payment, respond; the
//! event PaymentApproved does the rest.
//!
//! The order of the steps makes every crash recoverable:
//!
//! - The saga is recorded as open before anything else, so the sweep knows about it.
//! - The place among the live reservations of the customer is taken before the reservation is stored, so that no
//!   customer exceeds the limit.
//! - The reservation is stored before the hold, so every hold belongs to a stored reservation.
//! - The rejection is stored before the compensation, so a payment that arrives late is refused.
//!
//! The compensation is idempotent, and the saga stays open until it is complete.
//!
//! When the payment was not requested, no cancel is sent. If another attempt under the same number was paid,
//! PaymentApproved finds the reservation rejected, and the payment is refunded then.

use crate::{
    cause_of::cause_of,
    domain::{Refusal, RejectionReason, Reservation, Stage},
    ports::{ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome, ReservationPorts},
    repository::CreatedReservation,
    saga_log::SagaNote,
};
use events::{CarId, CustomerId, ReservationId, Timestamp};
use kit::{ChangeError, Effect, Origin, Platform, Unavailable, Versioned, numbering};
use std::time::Duration;

/// The longest time from the beginning to the request of the payment; the sweep takes over a saga that is older than
/// that and the timeout of the payment together.
const LATEST_PAYMENT: Duration = Duration::from_secs(6);
/// Seconds until a retry when the context that failed named no time.
const RETRY_AFTER: u64 = 2;

/// The reservation when the customer gets a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReserveOutcome {
    /// The reservation: `reqReserve` when the car is held and the payment approved, else `rejected`.
    pub reservation: Versioned<Reservation>,
    /// Seconds until a retry makes sense, when a call to another context failed.
    pub retry_after: Option<u64>,
}

/// Reserves a car for a customer, or for the company, under a number that the caller has just allocated.
///
/// # Errors
///
/// [`Refusal::LimitReached`], and then nothing is left behind; [`ChangeError`] when the store fails. The sweep then
/// finishes the saga. [`ChangeError::Contended`] when another request has stored a reservation under the number.
pub async fn reserve<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    car: CarId,
    customer: Option<&CustomerId>,
) -> Result<ReserveOutcome, ChangeError<Refusal>> {
    let (saga, created) = begin(ports, origin, id, car, customer).await?;
    if created.reservation.state.saga != saga.note.token {
        ports.sagas().close(&saga.note).await;
        return Err(ChangeError::Contended(format!("reservation/{id}")));
    }
    saga.complete(created).await
}

/// Reserves as [`reserve`] does, under a number that an earlier attempt left without a reservation. A sweep may retire
/// such a number at any time, so it is reinstated once the reservation is stored, and before the payment: a process that dies
/// in between leaves an open saga, whose recovery reinstates it.
///
/// # Errors
///
/// As [`reserve`].
pub async fn reserve_again<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
    car: CarId,
    customer: Option<&CustomerId>,
) -> Result<ReserveOutcome, ChangeError<Refusal>> {
    let (saga, created) = begin(ports, origin, id, car, customer).await?;
    numbering::reinstate(&ports.platform, id.0).await?;
    saga.complete(created).await
}

/// Opens the saga, and stores and announces the reservation.
async fn begin<'a, P: Platform, C: Cars, Y: Payments>(
    ports: &'a ReservationPorts<P, C, Y>,
    origin: &'a Origin,
    id: ReservationId,
    car: CarId,
    customer: Option<&'a CustomerId>,
) -> Result<(ReserveSaga<'a, P, C, Y>, CreatedReservation), ChangeError<Refusal>> {
    let begun = ports.platform.now();
    let note = ports.sagas().open(id).await?;
    if let Some(customer) = customer {
        enter_live_reservations(ports, customer, &note).await?;
    }
    let reservations = ports.reservations();
    reservations.list_for_car(id, car).await?;
    if let Some(customer) = customer {
        reservations.list_for_customer(id, customer).await?;
    }
    let created = reservations.create(origin, id, car, customer, &note.token, begun);
    let created = created.await?;
    let saga = ReserveSaga {
        ports,
        origin,
        id,
        car,
        customer,
        begun,
        note,
    };
    Ok((saga, created))
}

/// Takes the place of the reservation among the live ones of its customer. A reservation that is refused was not
/// stored, so that its saga ends here, and its number is retired.
async fn enter_live_reservations<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    customer: &CustomerId,
    note: &SagaNote,
) -> Result<(), ChangeError<Refusal>> {
    let entered = ports.live_reservations(customer).enter(note).await;
    if let Err(ChangeError::Refused(_)) = entered {
        // If this fails, the next list that reads the number finds it unused, and the sweep retires it.
        let _ = numbering::retire(&ports.platform, note.reservation.0).await;
        ports.sagas().close(note).await;
    }
    entered
}

/// Why the saga cannot go on, and what has to be compensated.
struct SagaFailure {
    reason: RejectionReason,
    compensation: Compensation,
    /// Seconds until a retry makes sense; `None` for a refusal, which a retry does not change.
    retry_after: Option<u64>,
}

/// Which steps of the saga have to be compensated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compensation {
    /// Neither the hold nor the payment.
    Nothing,
    /// The hold.
    Hold,
    /// The hold and the payment.
    HoldAndPayment,
    /// The hold now, and the payment by the sweep: the payment context has just timed out, and the customer should
    /// not wait for it a second time.
    HoldThenPayment,
}

/// One reservation on the way to its payment.
struct ReserveSaga<'a, P, C, Y> {
    ports: &'a ReservationPorts<P, C, Y>,
    origin: &'a Origin,
    id: ReservationId,
    car: CarId,
    customer: Option<&'a CustomerId>,
    begun: Timestamp,
    note: SagaNote,
}

impl SagaFailure {
    /// The reservation could not be announced, so that nothing else was tried.
    fn log_unavailable() -> Self {
        Self {
            reason: RejectionReason::LogUnavailable,
            compensation: Compensation::Nothing,
            retry_after: Some(RETRY_AFTER),
        }
    }

    /// So much time has passed that the sweep may take the saga over: it must not pay any more.
    fn too_late() -> Self {
        Self {
            reason: RejectionReason::PaymentUnreachable,
            compensation: Compensation::Hold,
            retry_after: Some(RETRY_AFTER),
        }
    }

    /// Another context refused the reservation.
    fn refused(reason: RejectionReason, compensation: Compensation) -> Self {
        Self {
            reason,
            compensation,
            retry_after: None,
        }
    }

    /// The call to another context failed.
    fn failed(reason: RejectionReason, compensation: Compensation, error: &Unavailable) -> Self {
        Self {
            reason,
            compensation,
            retry_after: Some(error.retry_after.unwrap_or(RETRY_AFTER)),
        }
    }
}

impl<P: Platform, C: Cars, Y: Payments> ReserveSaga<'_, P, C, Y> {
    /// Takes the steps after the reservation is stored.
    async fn complete(
        &self,
        created: CreatedReservation,
    ) -> Result<ReserveOutcome, ChangeError<Refusal>> {
        if created.announced.is_err() {
            return self.reject(SagaFailure::log_unavailable()).await;
        }
        match self.hold_and_pay().await {
            Ok(()) => Ok(self.confirmed(created.reservation).await),
            Err(failure) => self.reject(failure).await,
        }
    }

    async fn hold_and_pay(&self) -> Result<(), SagaFailure> {
        let amount = self.hold().await?;
        self.pay(amount).await
    }

    /// Holds the car and returns its price.
    async fn hold(&self) -> Result<u64, SagaFailure> {
        let refused = |reason| SagaFailure::refused(reason, Compensation::Nothing);
        match self.ports.cars.hold(self.origin, self.car, self.id).await {
            Ok(HoldOutcome::Held { amount }) => Ok(amount),
            Ok(HoldOutcome::NotAvailable) => Err(refused(RejectionReason::CarNotAvailable)),
            Ok(HoldOutcome::UnknownCar) => Err(refused(RejectionReason::UnknownCar)),
            Err(error) => {
                let compensation = match error.effect {
                    Effect::None => Compensation::Nothing,
                    Effect::Unknown | Effect::TimedOut => Compensation::Hold,
                };
                let reason = RejectionReason::CarUnreachable;
                Err(SagaFailure::failed(reason, compensation, &error))
            }
        }
    }

    async fn pay(&self, amount: u64) -> Result<(), SagaFailure> {
        if self.ports.platform.now().distance(self.begun) > LATEST_PAYMENT {
            return Err(SagaFailure::too_late());
        }
        let payments = &self.ports.payments;
        match payments
            .approve(self.origin, self.id, self.car, amount, self.customer)
            .await
        {
            Ok(ApprovalOutcome::Paid(_)) => Ok(()),
            Ok(ApprovalOutcome::Declined) => Err(SagaFailure::refused(
                RejectionReason::PaymentDeclined,
                Compensation::Hold,
            )),
            Err(error) => {
                let compensation = match error.effect {
                    Effect::None => Compensation::Hold,
                    Effect::Unknown => Compensation::HoldAndPayment,
                    Effect::TimedOut => Compensation::HoldThenPayment,
                };
                let reason = RejectionReason::PaymentUnreachable;
                Err(SagaFailure::failed(reason, compensation, &error))
            }
        }
    }

    /// The outcome of a paid reservation. If the sweep has rejected it meanwhile, it is rejected, and its payment is
    /// returned when PaymentApproved arrives.
    async fn confirmed(&self, created: Versioned<Reservation>) -> ReserveOutcome {
        let is_rejected =
            |found: &Versioned<Reservation>| matches!(found.state.stage, Stage::Rejected { .. });
        // If the store fails, the payment decides all the same.
        let found = self.ports.reservations().find::<Refusal>(self.id).await;
        match found.ok().flatten().filter(is_rejected) {
            Some(rejected) => ReserveOutcome {
                reservation: rejected,
                retry_after: Some(RETRY_AFTER),
            },
            None => ReserveOutcome {
                reservation: created,
                retry_after: None,
            },
        }
    }

    async fn reject(&self, failure: SagaFailure) -> Result<ReserveOutcome, ChangeError<Refusal>> {
        let cause = cause_of(self.origin);
        let reject = |reservation: &Versioned<Reservation>, at| {
            Ok(reservation.state.reject(failure.reason, at, cause))
        };
        let reservations = self.ports.reservations();
        let reservation = match failure.reason {
            RejectionReason::LogUnavailable => {
                let rejected = reservations.transition_unannounced(self.origin, self.id, reject);
                rejected.await?
            }
            _ => {
                reservations
                    .transition(self.origin, self.id, reject)
                    .await?
            }
        };
        // PaymentApproved can be faster than the failed call: then the reservation is confirmed.
        let is_rejected = matches!(reservation.state.stage, Stage::Rejected { .. });
        if is_rejected && self.compensate(failure.compensation).await {
            self.ports.sagas().close(&self.note).await;
        }
        Ok(ReserveOutcome {
            reservation,
            retry_after: failure.retry_after,
        })
    }

    /// Whether the compensation is complete. If not, the saga stays open and the sweep completes it.
    async fn compensate(&self, compensation: Compensation) -> bool {
        let Self {
            ports, origin, id, ..
        } = *self;
        let is_refunded = match compensation {
            Compensation::Nothing | Compensation::Hold => true,
            Compensation::HoldAndPayment => ports.payments.cancel(origin, id).await.is_ok(),
            Compensation::HoldThenPayment => false,
        };
        let is_released = match compensation {
            Compensation::Nothing => true,
            _ => ports.cars.release(origin, self.car, id).await == Ok(ReleaseOutcome::Released),
        };
        is_refunded && is_released
    }
}
