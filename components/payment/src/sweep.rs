//! What time alone must finish: events that a crash left unpublished, money whose fate a gateway
//! has not confirmed, numbers that a crash took.

use crate::{Payments, commands, domain::Payment, ports::Gateway, todo, todo::Todo};
use events::{PAYMENT_STREAM, PaymentId, ReservationId};
use kit::{
    ChangeError, Lookup, Platform, StoreError,
    numbering::orphans,
    outbox::{self, STALE_AFTER},
};
use std::{convert::Infallible, time::Duration};

/// How long one sweep goes on asking the gateway: a call that is begun in time still ends within
/// the deadline of the sweep.
const BUDGET: Duration = Duration::from_secs(2);

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Left-over events and intents.
    pub outbox: outbox::SweepReport,
    /// Notes about the gateway that are settled now.
    pub settled: usize,
    /// Notes that wait for the gateway's answer, or to grow old.
    pub open: usize,
    /// LiveNumbers taken out of the pages.
    pub retired: usize,
}

/// Finishes what is left over.
///
/// # Errors
///
/// The store's or the log's silence, as text: the next sweep tries again.
pub async fn sweep<P: Platform, G: Gateway>(payments: &Payments<P, G>) -> Result<Swept, String> {
    let platform = &payments.platform;
    let mut swept = Swept {
        outbox: outbox::sweep(platform, PAYMENT_STREAM).await?,
        ..Swept::default()
    };
    settle_all(payments, &mut swept)
        .await
        .map_err(|error| error.to_string())?;
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        Ok(matches!(
            payments.follow(PaymentId(number)).await?,
            Lookup::Found(_)
        ))
    };
    let retired = orphans::sweep(platform, exists).await;
    swept.retired = retired.map_err(|error| error.to_string())?;
    Ok(swept)
}

async fn settle_all<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let begun = payments.platform.now();
    let mut todos = todo::all(&payments.platform).await?;
    if !todos.is_empty() {
        // Not always the same ones first, so that those on which the gateway hangs do not use up
        // the budget of all others for ever.
        let turn = usize::try_from(begun.as_millis()).unwrap_or_default() % todos.len();
        todos.rotate_left(turn);
    }
    for todo in todos {
        let is_in_time = payments.platform.now().since(begun) < BUDGET;
        // One note that cannot be settled must not keep the others from it.
        if is_in_time && matches!(settle(payments, &todo).await, Ok(true)) {
            swept.settled += 1;
        } else {
            swept.open += 1;
        }
    }
    Ok(())
}

/// Settles what is noted; false when it must wait.
async fn settle<P: Platform, G: Gateway>(
    payments: &Payments<P, G>,
    todo: &Todo,
) -> Result<bool, ChangeError<Infallible>> {
    let platform = &payments.platform;
    let Some(note) = todo.read(platform).await? else {
        return Ok(true);
    };
    if note.age < STALE_AFTER {
        return Ok(false);
    }
    match todo {
        Todo::Undo(id) => {
            commands::cancel::<_, _, Infallible>(payments, &note.origin, *id).await?;
            if payments.gateway.is_remote() && todo.is_noted(platform).await? {
                return Ok(false);
            }
        }
        // The approval was recorded; only taking its note away had failed.
        Todo::Asked { reservation, .. } if is_paid(payments, *reservation).await? => {}
        Todo::Asked { reservation, .. } => {
            // From here on nobody records what is being returned.
            commands::cancel::<_, _, Infallible>(payments, &note.origin, *reservation).await?;
            if payments.gateway.undo(*reservation).await.is_err() {
                return Ok(false);
            }
        }
    }
    todo.done(platform).await;
    Ok(true)
}

async fn is_paid<P: Platform, G>(
    payments: &Payments<P, G>,
    id: ReservationId,
) -> Result<bool, ChangeError<Infallible>> {
    let known = payments.find(id).await?;
    Ok(known.is_some_and(|known| matches!(known.state, Payment::Paid(_))))
}
