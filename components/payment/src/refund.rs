//! Refund: the gateway that took money returns it.

use crate::{
    domain::GatewayId,
    ports::{Gateway, PaymentPorts, RefundError},
};
use events::ReservationId;

/// Returns the money that `taken_by` took for a reservation; the configured gateway is asked if it is unknown who took it.
///
/// The built-in gateway stores nothing, so its refund needs no call.
///
/// # Errors
///
/// [`RefundError`] when the gateway did not confirm the refund, or is not the configured one.
pub async fn refund<P, G: Gateway>(
    ports: &PaymentPorts<P, G>,
    taken_by: Option<&GatewayId>,
    id: ReservationId,
) -> Result<(), RefundError> {
    match (taken_by, ports.gateway.id()) {
        (Some(taken_by), _) if taken_by.is_built_in() => Ok(()),
        (Some(taken_by), Some(configured)) if *taken_by != configured => {
            // Without the reservation, so that the log has one line for any number of refunds.
            let cause = format!(
                "refunds wait: {taken_by} took the money, and {configured} is configured; \
                 set payment_gateway_url to that gateway again"
            );
            kit::report(&cause);
            Err(RefundError(cause))
        }
        _ => ports.gateway.refund(id).await,
    }
}
