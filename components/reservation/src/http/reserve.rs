//! `POST /reservations`, with and without an `Idempotency-Key`.

use super::{
    body,
    handler::{Handler, unknown_path},
    problems::{LIMIT_REACHED, rejection},
};
use crate::{
    authorization,
    commands::{self, ReserveOutcome},
    domain::{RejectionReason, Stage},
    ports::{Cars, Payments},
    queries,
    recovery::{RecoveryOutcome, TAKEOVER_AGE, recover},
    saga_log::SagaNote,
};
use events::{CarId, ReservationId};
use kit::{
    Platform,
    http::{Problem, Response, etag, hal},
    idempotency::{Acquisition, IdempotencyKey, Lease},
};

/// Reserves a car; a repeated request with the same key gets the response of the first one.
pub(super) async fn reserve<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
) -> Result<Response, Problem> {
    let access = authorization::reserve(&handler.principal);
    access.require("to reserve a car", || unknown_path(handler.request))?;
    let car = body::car(handler.request)?;
    let platform = &handler.ports.platform;
    let key = IdempotencyKey::from_request(handler.request)?;
    check_limit(handler, key.as_ref()).await?;
    let Some(key) = key else {
        let number = handler.ports.reservations().allocate_number().await?;
        return attempt(handler, number, car).await;
    };
    let allocate = async || handler.ports.reservations().allocate_number().await;
    let acquisition = key.acquire(platform, allocate);
    let (lease, result) = match acquisition.await? {
        Acquisition::Replay(response) => return Ok(response),
        Acquisition::First(lease) => {
            let result = attempt(handler, lease.number, car).await;
            (lease, result)
        }
        Acquisition::Resume(mut lease) => {
            let result = resume(handler, &mut lease, car).await;
            (lease, result)
        }
    };
    if let Err(problem) = &result
        && problem.slug == LIMIT_REACHED
    {
        // Nothing is left of the request, and its number is retired.
        lease.abandon(platform).await?;
        return result;
    }
    let response = result.unwrap_or_else(|problem| problem.into_response("/reservations"));
    lease.complete(platform, &response).await?;
    Ok(response)
}

/// Refuses a customer with as many live reservations as a customer may have, before anything is kept of the request.
/// A repeated request of a known key gets the response of the first one all the same.
async fn check_limit<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    key: Option<&IdempotencyKey>,
) -> Result<(), Problem> {
    let Some(customer) = handler.principal.customer() else {
        return Ok(());
    };
    let checked = handler.ports.live_reservations(customer).check().await;
    if checked.is_err()
        && let Some(key) = key
        && key.is_known(&handler.ports.platform).await?
    {
        return Ok(());
    }
    Ok(checked?)
}

async fn attempt<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    number: u64,
    car: CarId,
) -> Result<Response, Problem> {
    let id = ReservationId(number);
    let customer = handler.principal.customer();
    let outcome = commands::reserve(handler.ports, &handler.origin, id, car, customer).await?;
    respond(handler, &outcome)
}

/// Makes a new attempt under the number of an earlier one, which has left no reservation.
async fn attempt_again<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    number: u64,
    car: CarId,
) -> Result<Response, Problem> {
    let id = ReservationId(number);
    let customer = handler.principal.customer();
    let outcome = commands::reserve_again(handler.ports, &handler.origin, id, car, customer);
    respond(handler, &outcome.await?)
}

/// Resumes after an earlier attempt that died or could not report its outcome: recovers its saga, and makes a new attempt
/// if the saga ended by a technical failure.
async fn resume<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    lease: &mut Lease,
    car: CarId,
) -> Result<Response, Problem> {
    let ports = handler.ports;
    let id = ReservationId(lease.number);
    let Some(found) = ports.reservations().find::<Problem>(id).await? else {
        return attempt_again(handler, lease.number, car).await;
    };
    // The earlier attempt has ended: it released its lease, or its lease is older than any call can run.
    let note = SagaNote::new(id, found.state.saga);
    if recover(ports, &note, TAKEOVER_AGE).await? == RecoveryOutcome::StillOpen {
        return Err(Problem::unavailable(
            "the first attempt cannot be resolved at this moment; repeat the request",
            2,
        ));
    }
    let reservation = queries::reservation(ports, id).await?;
    let reason = reservation.state.stage.reason();
    if reason.is_some_and(RejectionReason::is_retryable) {
        renumber(handler, lease).await?;
        return attempt(handler, lease.number, car).await;
    }
    let outcome = ReserveOutcome {
        reservation,
        retry_after: None,
    };
    respond(handler, &outcome)
}

/// Moves the lease to a new reservation number.
async fn renumber<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    lease: &mut Lease,
) -> Result<(), Problem> {
    let platform = &handler.ports.platform;
    let number = handler.ports.reservations().allocate_number().await?;
    lease.renumber(platform, number).await
}

fn respond<P: Platform, C: Cars, Y: Payments>(
    handler: &Handler<'_, P, C, Y>,
    outcome: &ReserveOutcome,
) -> Result<Response, Problem> {
    let reservation = &outcome.reservation;
    match reservation.state.stage {
        Stage::Rejected { reason } => {
            Err(rejection(&reservation.state, reason, outcome.retry_after))
        }
        _ => {
            let created = hal::created(&handler.item(&reservation.state));
            Ok(etag::tagged(created, reservation.version))
        }
    }
}
