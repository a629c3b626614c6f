//! One row of the read model.

use crate::sql_value::SqlValue;
use events::{CarId, CustomerId, PaymentId, ReservationId};
use serde::Serialize;

/// One row of the read model. Missing values are null in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CarView {
    /// The car's number.
    pub car_id: CarId,
    /// The car's name.
    pub car_name: String,
    /// The car's type.
    pub car_type: String,
    /// The price of one reservation, in won.
    pub amount: u64,
    /// `available` or `reserved`.
    pub car_status: String,
    /// The car's latest reservation that was not rejected.
    pub rsv_id: Option<ReservationId>,
    /// The status of that reservation.
    pub rsv_status: Option<String>,
    /// The payment of that reservation.
    pub pay_id: Option<PaymentId>,
    /// The status of that payment.
    pub pay_status: Option<String>,
    /// The customer whom the reservation belongs to, for those who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<CustomerId>,
}

impl CarView {
    /// The row with these values, in the order of [`Column::ALL`](crate::column::Column::ALL), and then the customer; `None`
    /// when a value has another type.
    pub(crate) fn from_values(mut values: impl Iterator<Item = SqlValue>) -> Option<Self> {
        Some(Self {
            car_id: CarId(number(values.next()?)?),
            car_name: text(values.next()?)?,
            car_type: text(values.next()?)?,
            amount: number(values.next()?)?,
            car_status: text(values.next()?)?,
            rsv_id: optional_id(values.next()?)?.map(ReservationId),
            rsv_status: optional_text(values.next()?)?,
            pay_id: optional_id(values.next()?)?.map(PaymentId),
            pay_status: optional_text(values.next()?)?,
            customer_id: match values.next()? {
                SqlValue::Text(customer) => Some(CustomerId(customer)),
                _ => None,
            },
        })
    }
}

/// A number that is not negative.
pub(crate) fn number(value: SqlValue) -> Option<u64> {
    match value {
        SqlValue::Number(number) => u64::try_from(number).ok(),
        _ => None,
    }
}

fn text(value: SqlValue) -> Option<String> {
    match value {
        SqlValue::Text(text) => Some(text),
        _ => None,
    }
}

/// An id that can be missing, stored as 0: ids count from 1.
fn optional_id(value: SqlValue) -> Option<Option<u64>> {
    number(value).map(|number| (number > 0).then_some(number))
}

/// A text that can be missing, stored as the empty text: no status is empty.
fn optional_text(value: SqlValue) -> Option<Option<String>> {
    text(value).map(|text| (!text.is_empty()).then_some(text))
}
