//! Queries about payments: one payment, the payment of a reservation, a page ([`kit::listing`] states the cost), or the
//! payments of a list of numbers.

use crate::{
    domain::{Payment, Receipt, Refusal},
    ports::PaymentPorts,
    repository::PaymentRepository,
};
use events::{CustomerId, PaymentId, ReservationId};
use kit::{
    ChangeError, ListError, Lookup, Platform, ReadError, Versioned, http::paging::Page, listing,
    records,
};
use std::{cmp::Ordering, convert::Infallible};

/// The columns that a list of payments can be sorted by.
pub const COLUMNS: [&str; 5] = ["payId", "rsvId", "carId", "amount", "status"];

/// A payment as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRow {
    /// What was paid.
    pub receipt: Receipt,
    /// `paid` or `cancelled`.
    pub status: &'static str,
    /// The version of the stored payment; every change increments it.
    pub version: u64,
}

/// One payment.
///
/// # Errors
///
/// [`Refusal::Unknown`] for a number without a payment, and [`ChangeError`] when the store fails.
pub async fn payment<P: Platform, G>(
    ports: &PaymentPorts<P, G>,
    id: PaymentId,
) -> Result<PaymentRow, ChangeError<Refusal>> {
    let row = match ports.payments().find_by_number(id).await? {
        Lookup::Found(payment) => row(&payment),
        Lookup::Deleted | Lookup::Missing => None,
    };
    row.ok_or(ChangeError::Refused(Refusal::Unknown(id)))
}

/// The payment of a reservation; `None` when nothing is recorded.
///
/// # Errors
///
/// [`ChangeError`] when the store fails.
pub async fn payment_of<P: Platform, G, R>(
    ports: &PaymentPorts<P, G>,
    id: ReservationId,
) -> Result<Option<Payment>, ChangeError<R>> {
    let payment = ports.payments().find(id).await?;
    Ok(payment.map(|payment| payment.state))
}

/// One page of the payments, and the number of all payments.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn payments<P: Platform, G>(
    ports: &PaymentPorts<P, G>,
    page: &Page,
) -> Result<(Vec<PaymentRow>, u64), ListError<ChangeError<Refusal>>> {
    let look_up = async |number| {
        let lookup = ports.payments().find_by_number(PaymentId(number)).await?;
        Ok::<_, ChangeError<Refusal>>(match lookup {
            Lookup::Found(payment) => row(&payment).map_or(Lookup::Deleted, Lookup::Found),
            Lookup::Deleted => Lookup::Deleted,
            Lookup::Missing => Lookup::Missing,
        })
    };
    listing::list(&ports.platform, page, "payId", look_up, compare).await
}

/// One page of the payments of a customer, and their number.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn payments_of_customer<P: Platform, G>(
    ports: &PaymentPorts<P, G>,
    customer: &CustomerId,
    page: &Page,
) -> Result<(Vec<PaymentRow>, u64), ListError<ChangeError<Refusal>>> {
    let payments = ports.payments();
    let look_up = async |number| {
        let found = match payments.find_by_number(PaymentId(number)).await? {
            Lookup::Found(payment) => row(&payment),
            Lookup::Deleted | Lookup::Missing => None,
        };
        let of_customer = |row: &PaymentRow| row.receipt.order.customer.as_ref() == Some(customer);
        Ok::<_, ChangeError<Refusal>>(found.filter(of_customer))
    };
    let index = payments.of_customer(customer);
    listing::list_index(&index, page, "payId", look_up, None, compare).await
}

/// The payments with these numbers.
///
/// # Errors
///
/// [`ReadError`] for more than [`records::MAX_NUMBERS`] numbers, and when the store fails.
pub async fn payments_of<P: Platform>(
    payments: &PaymentRepository<'_, P>,
    numbers: &[u64],
) -> Result<Vec<Versioned<Payment>>, ReadError> {
    let find = async |number| match payments.find_by_number(PaymentId(number)).await? {
        Lookup::Found(payment) => Ok::<_, ChangeError<Infallible>>(Some(payment)),
        Lookup::Deleted | Lookup::Missing => Ok(None),
    };
    records::read(numbers, find).await
}

fn row(payment: &Versioned<Payment>) -> Option<PaymentRow> {
    Some(PaymentRow {
        receipt: payment.state.receipt()?.clone(),
        status: payment.state.status(),
        version: payment.version,
    })
}

fn compare(column: &str, one: &PaymentRow, other: &PaymentRow) -> Ordering {
    let key = |row: &PaymentRow| match column {
        "rsvId" => row.receipt.order.reservation.0,
        "carId" => row.receipt.order.car.0,
        "amount" => row.receipt.order.amount,
        _ => u64::from(row.status == "paid"),
    };
    key(one).cmp(&key(other))
}
