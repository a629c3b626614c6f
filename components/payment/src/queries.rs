//! What may be asked about payments. By number a page costs two reads for each of its rows; any
//! other order reads all payments, because heavy questions belong to the view.

use crate::{
    Payments,
    domain::{Payment, Receipt, Refusal},
    payments::Lead,
};
use events::{PaymentId, ReservationId};
use kit::{
    ChangeError, Platform, Versioned,
    http::paging::Page,
    numbering::{self, lost},
};
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
        Lead::To(payment) => row(&payment),
        Lead::Nowhere | Lead::NotYet => None,
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
    let numbers = numbering::numbers(&payments.platform).await?;
    let by_number = page.sort.first().is_none_or(|sort| sort.column == "payId");
    if by_number {
        let descending = page.sort.first().is_some_and(|sort| sort.descending);
        let numbers_of_page = numbers.page(page.offset(), page.size, descending);
        return Ok((load(payments, numbers_of_page).await?, numbers.count()));
    }
    let mut rows = load(payments, numbers.ascending()).await?;
    let total = rows.len() as u64;
    rows.sort_by(|one, other| compare(page, one, other));
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    Ok((rows.into_iter().skip(offset).take(size).collect(), total))
}

async fn load<P: Platform, G>(
    payments: &Payments<P, G>,
    numbers: impl IntoIterator<Item = u64>,
) -> Result<Vec<Row>, ChangeError<Refusal>> {
    let platform = &payments.platform;
    let mut rows = Vec::new();
    for number in numbers {
        match payments.follow::<Refusal>(PaymentId(number)).await? {
            Lead::To(payment) => rows.extend(row(&payment)),
            // Should this fail, the next list that meets the number does it.
            Lead::Nowhere => {
                let _ = numbering::retire(platform, number).await;
            }
            Lead::NotYet => {
                let _ = lost::suspect(platform, number).await;
            }
        }
    }
    Ok(rows)
}

fn row(payment: &Versioned<Payment>) -> Option<Row> {
    Some(Row {
        receipt: *payment.state.receipt()?,
        status: payment.state.status(),
        version: payment.version,
    })
}

/// The order that the page asks for, and then by number, so that pages lose and repeat nothing.
fn compare(page: &Page, one: &Row, other: &Row) -> Ordering {
    let key = |column: &str, row: &Row| match column {
        "rsvId" => row.receipt.order.reservation.0,
        "carId" => row.receipt.order.car.0,
        "amount" => row.receipt.order.amount,
        "status" => u64::from(row.status == "paid"),
        _ => row.receipt.id.0,
    };
    page.sort
        .iter()
        .map(|sort| {
            let order = key(sort.column, one).cmp(&key(sort.column, other));
            if sort.descending {
                order.reverse()
            } else {
                order
            }
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.receipt.id.cmp(&other.receipt.id))
}
