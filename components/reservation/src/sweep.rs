//! What time alone must finish: events that a crash left unpublished, sagas that nobody brings to an
//! end any more, numbers that a crash took.

use crate::{
    Desk,
    desk::of_saga,
    domain::{Reason, Refusal, Stage},
    ports::{Cars, Payments, Release},
};
use events::{RESERVATION_STREAM, ReservationId};
use kit::{ChangeError, Origin, Platform, Store, idempotency, numbering::orphans, outbox};
use std::time::Duration;

/// How old the note of a saga is before the sweep takes the saga over: longer than any call may
/// run, so that it does not interfere with a living one.
const TAKEN_OVER_AFTER: Duration = Duration::from_secs(10);
/// How old a note without a reservation is before it is forgotten: nobody is about to make it.
const NEVER_BEGAN_AFTER: Duration = Duration::from_secs(120);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Left-over events and intents.
    pub outbox: outbox::SweepReport,
    /// Sagas brought to an end.
    pub ended: usize,
    /// Sagas that still need another context to answer.
    pub open: usize,
    /// Expired idempotency keys dropped.
    pub expired: u64,
    /// LiveNumbers taken out of the pages.
    pub retired: usize,
}

/// Finishes what is left over.
///
/// # Errors
///
/// The store's or the log's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform, C: Cars, Y: Payments>(
    desk: &Desk<P, C, Y>,
) -> Result<Swept, String> {
    let mut swept = Swept {
        outbox: outbox::sweep(&desk.platform, RESERVATION_STREAM).await?,
        ..Swept::default()
    };
    let keys = desk
        .platform
        .outbox()
        .keys()
        .await
        .map_err(|e| e.to_string())?;
    for id in keys.iter().filter_map(|key| of_saga(key)) {
        let age = desk.age(id).await.map_err(|e| e.to_string())?;
        let Some(age) = age.filter(|age| *age >= TAKEN_OVER_AFTER) else {
            continue;
        };
        match drive(desk, id, age).await {
            Ok(true) => swept.ended += 1,
            // One saga that cannot go on must not keep the others from it.
            Ok(false) | Err(_) => swept.open += 1,
        }
    }
    swept.expired = idempotency::sweep(&desk.platform)
        .await
        .map_err(|e| e.to_string())?;
    let exists = async |number| -> Result<bool, ChangeError<Refusal>> {
        Ok(desk.find::<Refusal>(ReservationId(number)).await?.is_some())
    };
    let retired = orphans::sweep(&desk.platform, exists).await;
    swept.retired = retired.map_err(|error| error.to_string())?;
    Ok(swept)
}

/// Brings one saga to an end that nobody else does; false when it must wait, because another context
/// does not answer or because its note is not of that `age` yet.
///
/// # Errors
///
/// What the store cannot do.
pub async fn drive<P: Platform, C: Cars, Y: Payments>(
    desk: &Desk<P, C, Y>,
    id: ReservationId,
    age: Duration,
) -> Result<bool, ChangeError<Refusal>> {
    let origin = Origin::new(&desk.platform.unique_id());
    let Some(reservation) = desk.find::<Refusal>(id).await? else {
        if age >= NEVER_BEGAN_AFTER {
            desk.end(id).await;
        }
        return Ok(age >= NEVER_BEGAN_AFTER);
    };
    let stage = match reservation.state.stage {
        Stage::Requested => match decide(desk, &origin, id).await? {
            Some(stage) => stage,
            None => return Ok(false),
        },
        stage => stage,
    };
    let at_rest = match stage {
        Stage::CancelRequested { .. } => refund(desk, &origin, id).await?,
        Stage::Rejected { .. } => {
            desk.payments.cancel(&origin, id).await.is_ok()
                && match desk.cars.release(&origin, reservation.state.car, id).await {
                    Ok(Release::Released) => true,
                    // By then no hold can be on its way any more.
                    Ok(Release::UnknownCar) => age >= TAKEN_OVER_AFTER,
                    Err(_) => false,
                }
        }
        Stage::Requested => false,
        Stage::Reserved { .. } | Stage::Cancelled { .. } => true,
    };
    if at_rest {
        desk.end(id).await;
    }
    Ok(at_rest)
}

/// Paid, and it stands; not paid, and it is rejected. Who cannot say leaves it undecided.
async fn decide<P: Platform, C: Cars, Y: Payments>(
    desk: &Desk<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
) -> Result<Option<Stage>, ChangeError<Refusal>> {
    let Ok(payment) = desk.payments.outcome(origin, id).await else {
        return Ok(None);
    };
    let decided = desk
        .step(origin, id, |reservation, at| {
            Ok::<_, Refusal>(match payment {
                Some(payment) => reservation.state.confirm(payment, at, &origin.causation_id),
                None => reservation
                    .state
                    .reject(Reason::Interrupted, at, &origin.causation_id),
            })
        })
        .await?;
    Ok(Some(decided.state.stage))
}

/// Has the payment returned, if its event did not do it, and closes the saga.
async fn refund<P: Platform, C: Cars, Y: Payments>(
    desk: &Desk<P, C, Y>,
    origin: &Origin,
    id: ReservationId,
) -> Result<bool, ChangeError<Refusal>> {
    if desk.payments.cancel(origin, id).await.is_err() {
        return Ok(false);
    }
    desk.step(origin, id, |reservation, at| {
        Ok::<_, Refusal>(reservation.state.cancel(at, &origin.causation_id))
    })
    .await?;
    Ok(true)
}
