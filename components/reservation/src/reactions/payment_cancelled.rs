//! PaymentCancelled: the reservation is cancelled, and ReservationCancelled announces it.
//!
//! Idempotent because only `reqCancel` can be cancelled.

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
    let reservation = ports
        .reservations()
        .transition(origin, payment.rsv_id, |reservation, at| {
            Ok(reservation.state.cancel(at, cause_of(origin)))
        })
        .await?;
    if matches!(reservation.state.stage, Stage::Cancelled { .. }) {
        let note = SagaNote::new(payment.rsv_id, reservation.state.saga);
        ports.sagas().close(&note).await;
    }
    Ok(())
}
