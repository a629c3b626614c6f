//! Periodic recovery: publish events that a crash left unpublished, settle gateway calls whose outcome is not
//! recorded, retire payment numbers that a crash left unused.

use crate::{
    commands,
    domain::Payment,
    gateway_intents::{self, GatewayIntent},
    ports::{Gateway, PaymentPorts},
};
use events::{PAYMENT_STREAM, PaymentId, ReservationId};
use kit::{
    ChangeError, Lookup, Platform, StoreError,
    numbering::orphans,
    outbox::{self, STALE_AFTER},
};
use std::{convert::Infallible, time::Duration};

/// For how long one sweep starts new gateway calls. A call that starts in time still ends within the deadline of
/// the sweep.
const GATEWAY_BUDGET: Duration = Duration::from_secs(2);

/// What one sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SweepSummary {
    /// Published events and forgotten outbox intents.
    pub outbox: outbox::SweepReport,
    /// Gateway intents that were settled.
    pub settled: usize,
    /// Gateway intents that are too young, or whose gateway does not respond.
    pub open: usize,
    /// Numbers that were removed from the pages.
    pub retired: usize,
}

/// Recovers once. Idempotent.
///
/// # Errors
///
/// The failure of the store or of the event log, as text; the next sweep continues.
pub async fn sweep<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
) -> Result<SweepSummary, String> {
    let platform = &ports.platform;
    let mut summary = SweepSummary {
        outbox: outbox::sweep(platform, PAYMENT_STREAM).await?,
        ..SweepSummary::default()
    };
    settle_all(ports, &mut summary)
        .await
        .map_err(|error| error.to_string())?;
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        let lookup = ports.payments().find_by_number(PaymentId(number)).await?;
        Ok(matches!(lookup, Lookup::Found(_)))
    };
    let retired = orphans::sweep(platform, exists).await;
    summary.retired = retired.map_err(|error| error.to_string())?;
    Ok(summary)
}

async fn settle_all<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    summary: &mut SweepSummary,
) -> Result<(), StoreError> {
    let start = ports.platform.now();
    let mut intents = gateway_intents::all(&ports.platform).await?;
    if !intents.is_empty() {
        // The first intent varies from sweep to sweep, so that intents on which the gateway hangs cannot use up
        // the budget of all others every time.
        let first = usize::try_from(start.as_millis()).unwrap_or_default() % intents.len();
        intents.rotate_left(first);
    }
    for intent in intents {
        let is_in_time = ports.platform.now().since(start) < GATEWAY_BUDGET;
        // An intent that cannot be settled must not block the others.
        if is_in_time && matches!(settle(ports, &intent).await, Ok(true)) {
            summary.settled += 1;
        } else {
            summary.open += 1;
        }
    }
    Ok(())
}

/// Settles one intent; false when it is too young or the gateway does not respond.
async fn settle<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    intent: &GatewayIntent,
) -> Result<bool, ChangeError<Infallible>> {
    let platform = &ports.platform;
    let Some(stored) = intent.load(platform).await? else {
        return Ok(true);
    };
    if stored.age < STALE_AFTER {
        return Ok(false);
    }
    match intent {
        GatewayIntent::Refund(id) => {
            commands::cancel::<_, _, Infallible>(ports, &stored.origin, *id).await?;
            if ports.gateway.is_remote() && intent.is_stored(platform).await? {
                return Ok(false);
            }
        }
        // The approval was recorded; only the deletion of its intent failed.
        GatewayIntent::Approval { reservation, .. } if is_paid(ports, *reservation).await? => {}
        GatewayIntent::Approval { reservation, .. } => {
            // The cancel comes first: from then on no approval can record the money that is refunded here.
            commands::cancel::<_, _, Infallible>(ports, &stored.origin, *reservation).await?;
            if ports.gateway.refund(*reservation).await.is_err() {
                return Ok(false);
            }
        }
    }
    intent.delete(platform).await;
    Ok(true)
}

async fn is_paid<P: Platform, G>(
    ports: &PaymentPorts<P, G>,
    id: ReservationId,
) -> Result<bool, ChangeError<Infallible>> {
    let payment = ports.payments().find(id).await?;
    Ok(payment.is_some_and(|payment| matches!(payment.state, Payment::Paid(_))))
}
