//! PaymentCancelled: the reservation is cancelled, and ReservationCancelled says so.
//!
//! Idempotent because only `reqCancel` can be cancelled.

use crate::{
    Desk,
    domain::{Refusal, Stage},
};
use events::PaymentState;
use kit::{ChangeError, Origin, Platform};

pub(super) async fn react<P: Platform, C, Y>(
    desk: &Desk<P, C, Y>,
    origin: &Origin,
    payment: &PaymentState,
) -> Result<(), ChangeError<Refusal>> {
    let reservation = desk
        .step(origin, payment.rsv_id, |reservation, at| {
            Ok(reservation.state.cancel(at, &origin.causation_id))
        })
        .await?;
    if matches!(reservation.state.stage, Stage::Cancelled { .. }) {
        desk.end(payment.rsv_id).await;
    }
    Ok(())
}
