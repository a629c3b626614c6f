//! PaymentApproved: the reservation stands, and ReservationConfirmed says so.
//!
//! Idempotent because only `reqReserve` can be confirmed. A payment that comes after the rejection
//! is returned: the saga is noted again, and the sweep undoes everything.

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
            Ok(reservation
                .state
                .confirm(payment.pay_id, at, &origin.causation_id))
        })
        .await?;
    match reservation.state.stage {
        Stage::Rejected { .. } => desk.begin(payment.rsv_id).await?,
        Stage::Reserved { .. } => desk.end(payment.rsv_id).await,
        _ => {}
    }
    Ok(())
}
