//! PaymentApproved: the reservation is confirmed, and ReservationConfirmed announces it.
//!
//! Idempotent because only `reqReserve` can be confirmed. A payment that arrives after the rejection is refunded: the
//! saga is opened again, and the sweep compensates it.

use crate::{
    cause_of::cause_of,
    domain::{Refusal, Stage},
    ports::ReservationPorts,
    saga_log::SagaNote,
};
use events::PaymentState;
use kit::{ChangeError, Origin, Platform};

pub(super) async fn react<P: Platform, C, Y>(
    ports: &ReservationPorts<P, C, Y>,
    origin: &Origin,
    payment: &PaymentState,
) -> Result<(), ChangeError<Refusal>> {
    let cause = cause_of(origin);
    let reservation = ports
        .reservations()
        .transition(origin, payment.rsv_id, |reservation, at| {
            Ok(reservation.state.confirm(payment.pay_id, at, cause))
        })
        .await?;
    match reservation.state.stage {
        Stage::Rejected { .. } => {
            ports.sagas().open(payment.rsv_id).await?;
        }
        Stage::Reserved { .. } => {
            let note = SagaNote::new(payment.rsv_id, reservation.state.saga);
            ports.sagas().close(&note).await;
        }
        _ => {}
    }
    Ok(())
}
