//! Periodic recovery: publish events that a crash left unpublished, settle gateway calls whose outcome is not
//! recorded, retire payment numbers that a crash left unused.

use crate::{
    commands,
    domain::{GatewayId, Payment},
    gateway_intents::{self, GatewayIntent, StoredIntent},
    late_refunds::{self, LateRefund},
    ports::{Gateway, PaymentPorts},
    refund::refund,
};
use events::{PAYMENT_STREAM, PaymentId, ReservationId};
use kit::{
    Backlog, ChangeError, Lookup, Platform, SweepFailures, http::Problem, numbering::orphans,
    outbox, shared_clock,
};
use std::{convert::Infallible, time::Duration};

/// The age at which an intent is settled: longer than any call can run, so that the call of the intent has ended. Sweeps
/// come every five seconds, so it is the third one that settles an intent.
pub const SETTLED_AFTER: Duration = Duration::from_secs(9);
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
    /// Refunds that were repeated, in case the gateway took money late.
    pub repeated: usize,
    /// Numbers that were removed from the pages.
    pub retired: usize,
}

/// Recovers once. Idempotent. A failure in one place does not keep the others from being recovered.
///
/// # Errors
///
/// A [`Problem`] with the first failure; the next sweep continues.
pub async fn sweep<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
) -> Result<SweepSummary, Problem> {
    let platform = &ports.platform;
    let mut failures = SweepFailures::default();
    let prefixes = [
        outbox::INTENT,
        gateway_intents::APPROVAL,
        gateway_intents::REFUND,
        orphans::SUSPICION,
    ];
    let backlog = Backlog::load(platform, &prefixes).await;
    let backlog = failures.check(backlog).unwrap_or_default();
    let mut summary = SweepSummary {
        outbox: outbox::sweep(platform, PAYMENT_STREAM, &backlog, &mut failures).await,
        ..SweepSummary::default()
    };
    call_gateway(ports, &backlog, &mut summary, &mut failures).await;
    let exists = async |number| -> Result<bool, ChangeError<Infallible>> {
        let lookup = ports.payments().find_by_number(PaymentId(number)).await?;
        Ok(matches!(lookup, Lookup::Found(_)))
    };
    summary.retired = orphans::sweep(platform, &backlog, exists, &mut failures).await;
    failures.into_result(summary)
}

/// Settles the intents, then repeats the late refunds that are due, within the time for gateway calls.
async fn call_gateway<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    backlog: &Backlog,
    summary: &mut SweepSummary,
    failures: &mut SweepFailures,
) {
    let start = ports.platform.now();
    let is_in_time = || ports.platform.now().distance(start) < GATEWAY_BUDGET;
    for stored in gateway_intents::all(&ports.platform, backlog) {
        // An intent that cannot be settled must not block the others.
        let is_settled = stored.age >= SETTLED_AFTER
            && is_in_time()
            && failures
                .check(settle(ports, &stored).await)
                .unwrap_or(false);
        match is_settled {
            true => summary.settled += 1,
            false => summary.open += 1,
        }
    }
    let due = late_refunds::due(&ports.platform, backlog).await;
    let (due, now) = failures.check(due).unwrap_or_default();
    for late in due {
        if is_in_time() {
            let repeated = repeat(ports, &late, now).await;
            summary.repeated += usize::from(failures.check(repeated).unwrap_or(false));
        }
    }
}

/// Settles one intent; false when the gateway does not respond.
async fn settle<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    stored: &StoredIntent,
) -> Result<bool, ChangeError<Infallible>> {
    let platform = &ports.platform;
    let StoredIntent { intent, origin, .. } = stored;
    match intent {
        GatewayIntent::Refund(id) => {
            let payment = commands::cancel::<_, _, Infallible>(ports, origin, *id).await?;
            if matches!(payment.state, Payment::Refunding(_)) {
                return Ok(false);
            }
        }
        GatewayIntent::Approval {
            reservation,
            gateway,
            ..
        } => {
            let gateway = gateway.as_ref();
            match ports.payments().find::<Infallible>(*reservation).await? {
                // The approval was recorded; only the deletion of its intent failed.
                Some(payment) if payment.state.is_paid_at(gateway) => {
                    intent.delete(platform).await;
                    return Ok(true);
                }
                // Another gateway was paid: the money of this attempt is superfluous.
                Some(payment) if matches!(payment.state, Payment::Paid(_)) => {}
                // The cancel comes first: from then on no approval can record the money that is refunded here.
                _ => {
                    commands::cancel::<_, _, Infallible>(ports, origin, *reservation).await?;
                }
            }
            if refund(ports, gateway, *reservation).await.is_err() {
                return Ok(false);
            }
            // That nothing had to be refunded yet is no proof: the gateway may process the approval later.
            let late = LateRefund::first(shared_clock::time(platform).await?, *reservation);
            late.save(platform, gateway).await?;
        }
    }
    intent.delete(platform).await;
    Ok(true)
}

/// Repeats a late refund and stores the next one; false when it is postponed, or the gateway does not respond. `now` is the
/// time of the clock that the hosts share.
async fn repeat<P: Platform, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    late: &LateRefund,
    now: Duration,
) -> Result<bool, ChangeError<Infallible>> {
    let platform = &ports.platform;
    let Some(record) = late.record(platform).await? else {
        return Ok(false);
    };
    if !record.is_retry_due(now) {
        return Ok(false);
    }
    let gateway = record.gateway();
    if let Some(converted) = late.converted(now) {
        converted.save(platform, gateway.as_ref()).await?;
        late.delete(platform).await;
        return Ok(false);
    }
    if !is_paid_at(ports, late.reservation, gateway.as_ref()).await? {
        let refunded = refund(ports, gateway.as_ref(), late.reservation);
        if refunded.await.is_err() {
            late.postpone(platform, &record, now).await?;
            return Ok(false);
        }
        if let Some(next) = late.next(now) {
            next.save(platform, gateway.as_ref()).await?;
        }
    }
    late.delete(platform).await;
    Ok(true)
}

async fn is_paid_at<P: Platform, G>(
    ports: &PaymentPorts<P, G>,
    id: ReservationId,
    gateway: Option<&GatewayId>,
) -> Result<bool, ChangeError<Infallible>> {
    let payment = ports.payments().find(id).await?;
    Ok(payment.is_some_and(|payment| payment.state.is_paid_at(gateway)))
}
