//! What may be asked about payments: one of them, or a page ([`kit::listing`] says what it costs).

use crate::{
    Payments,
    domain::{Payment, Receipt, Refusal},
};
use events::{PaymentId, ReservationId};
use kit::{ChangeError, Lookup, Platform, Versioned, http::paging::Page, listing};
use std::cmp::Ordering;

/// The columns that a list of payments can be sorted by.
pub const COLUMNS: [&str; 5] = ["payId", "rsvId", "carId", "amount", "status"];

/// A payment as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was paid.
    pub receipt: Receipt,
    /// `paid` or `cancelled`.
    pub status: &'static str,
    /// Counts its changes.
    pub version: u64,
}

/// One payment.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a number that no payment has, and what the store cannot do.
pub async fn payment<P: Platform, G>(
    payments: &Payments<P, G>,
    id: PaymentId,
) -> Result<Row, ChangeError<Refusal>> {
    let row = match payments.follow(id).await? {
        Lookup::Found(payment) => row(&payment),
        Lookup::Deleted | Lookup::Missing => None,
    };
    row.ok_or(ChangeError::Refused(Refusal::Unknown(id)))
}

/// What is known of a reservation's payment.
///
/// # Errors
///
/// What the store cannot do.
pub async fn outcome<P: Platform, G>(
    payments: &Payments<P, G>,
    id: ReservationId,
) -> Result<Option<Payment>, ChangeError<Refusal>> {
    Ok(payments.find(id).await?.map(|known| known.state))
}

/// One page of the payments, and how many there are.
///
/// # Errors
///
/// What the store cannot do.
pub async fn payments<P: Platform, G>(
    payments: &Payments<P, G>,
    page: &Page,
) -> Result<(Vec<Row>, u64), ChangeError<Refusal>> {
    let look_up = async |number| {
        let lookup = payments.follow::<Refusal>(PaymentId(number)).await?;
        Ok(match lookup {
            Lookup::Found(payment) => row(&payment).map_or(Lookup::Deleted, Lookup::Found),
            Lookup::Deleted => Lookup::Deleted,
            Lookup::Missing => Lookup::Missing,
        })
    };
    listing::list(&payments.platform, page, "payId", look_up, compare).await
}

fn row(payment: &Versioned<Payment>) -> Option<Row> {
    Some(Row {
        receipt: *payment.state.receipt()?,
        status: payment.state.status(),
        version: payment.version,
    })
}

fn compare(column: &str, one: &Row, other: &Row) -> Ordering {
    let key = |row: &Row| match column {
        "rsvId" => row.receipt.order.reservation.0,
        "carId" => row.receipt.order.car.0,
        "amount" => row.receipt.order.amount,
        _ => u64::from(row.status == "paid"),
    };
    key(one).cmp(&key(other))
}
