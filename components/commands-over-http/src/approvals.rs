//! `socar:payment/approvals`: the responses of the payment context.

use crate::answer::{Answer, body_about};
use events::{PaymentId, ReservationId};
use kit::{
    Effect, Unavailable,
    http::{Response, upstream},
};

/// Why a reservation is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalRefusal {
    /// The payment is declined.
    Declined,
    /// The payment was cancelled before.
    Cancelled,
}

/// The response to an approval of the reservation `id`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_approval(
    id: ReservationId,
    response: &Response,
) -> Answer<PaymentId, ApprovalRefusal> {
    let refused = |slug, refusal| upstream::problem(response, slug).map(|_| Err(refusal));
    match response.status().as_u16() {
        200 | 201 => payment(id, response).flatten().map(Ok),
        402 => refused("payment-declined", ApprovalRefusal::Declined),
        409 => refused("payment-cancelled", ApprovalRefusal::Cancelled),
        503 if upstream::problem(response, "payment-not-asked").is_some() => {
            return Err(Unavailable {
                effect: Effect::None,
                ..upstream::unexpected("payment", response)
            });
        }
        _ => None,
    }
    .ok_or_else(|| upstream::unexpected("payment", response))
}

/// The response to a cancel of the reservation `id`.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_cancellation(id: ReservationId, response: &Response) -> Result<(), Unavailable> {
    match parse_paid_payment(id, response)? {
        None => Ok(()),
        Some(_) => Err(upstream::unexpected("payment", response)),
    }
}

/// The response to a query for the payment of the reservation `id`; `None` when it is not paid.
///
/// # Errors
///
/// [`Unavailable`] when the response is an error, or is not recognisable as the payment context's.
pub fn parse_paid_payment(
    id: ReservationId,
    response: &Response,
) -> Result<Option<PaymentId>, Unavailable> {
    match response.status().as_u16() {
        200 => payment(id, response),
        _ => None,
    }
    .ok_or_else(|| upstream::unexpected("payment", response))
}

/// The payment of a response with status `paid`; the outer `None` is a response of another form.
fn payment(id: ReservationId, response: &Response) -> Option<Option<PaymentId>> {
    let body = body_about("rsvId", id.0, response)?;
    match body["status"].as_str()? {
        "paid" => Some(Some(PaymentId(body["payId"].as_u64()?))),
        _ => Some(None),
    }
}

#[cfg(test)]
mod tests;
