//! The stored form of a payment. Its JSON is in existing databases: fields may be added with a default, and never
//! renamed.

use crate::domain::{GatewayId, Order, Payment, Receipt};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::Persistent;
use serde::{Deserialize, Serialize};

/// A payment as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum PaymentRecord {
    /// [`Payment::Paid`].
    Paid(ReceiptRecord),
    /// [`Payment::Refunding`].
    Refunding(ReceiptRecord),
    /// [`Payment::Cancelled`].
    Cancelled(ReceiptRecord),
    /// [`Payment::Voided`].
    #[serde(rename = "refused", rename_all = "camelCase")]
    Voided {
        /// The reservation that will not be paid.
        rsv_id: ReservationId,
    },
}

/// A receipt as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptRecord {
    pay_id: PaymentId,
    rsv_id: ReservationId,
    car_id: CarId,
    amount: u64,
    /// The customer; absent for what belongs to the company, such as the records of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
    /// The gateway that took the money; absent in the records of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
}

impl Persistent for Payment {
    type Record = PaymentRecord;

    fn to_record(&self) -> PaymentRecord {
        match self.clone() {
            Self::Paid(receipt) => PaymentRecord::Paid(receipt.into()),
            Self::Refunding(receipt) => PaymentRecord::Refunding(receipt.into()),
            Self::Cancelled(receipt) => PaymentRecord::Cancelled(receipt.into()),
            Self::Voided(rsv_id) => PaymentRecord::Voided { rsv_id },
        }
    }

    fn from_record(record: PaymentRecord) -> Self {
        match record {
            PaymentRecord::Paid(receipt) => Self::Paid(receipt.into()),
            PaymentRecord::Refunding(receipt) => Self::Refunding(receipt.into()),
            PaymentRecord::Cancelled(receipt) => Self::Cancelled(receipt.into()),
            PaymentRecord::Voided { rsv_id } => Self::Voided(rsv_id),
        }
    }
}

impl From<Receipt> for ReceiptRecord {
    fn from(receipt: Receipt) -> Self {
        Self {
            pay_id: receipt.id,
            rsv_id: receipt.order.reservation,
            car_id: receipt.order.car,
            amount: receipt.order.amount,
            customer_id: receipt.order.customer,
            gateway: receipt.gateway.map(|gateway| gateway.as_str().to_owned()),
        }
    }
}

impl From<ReceiptRecord> for Receipt {
    fn from(record: ReceiptRecord) -> Self {
        Self {
            id: record.pay_id,
            order: Order {
                reservation: record.rsv_id,
                car: record.car_id,
                amount: record.amount,
                customer: record.customer_id,
            },
            gateway: record.gateway.map(GatewayId::stored),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn round_trip(stored: &Value) -> Value {
        let record: PaymentRecord = serde_json::from_value(stored.clone()).unwrap();
        serde_json::to_value(Payment::from_record(record).to_record()).unwrap()
    }

    #[test]
    fn the_stored_form_does_not_change() {
        let receipt =
            |state: &str| json!({"state": state, "payId": 1, "rsvId": 7, "carId": 2, "amount": 5});
        for stored in [
            receipt("paid"),
            receipt("refunding"),
            receipt("cancelled"),
            json!({
                "state": "paid", "payId": 1, "rsvId": 7, "carId": 2, "amount": 5, "customerId": "alice",
            }),
            json!({
                "state": "paid", "payId": 1, "rsvId": 7, "carId": 2, "amount": 5, "gateway": "built-in",
            }),
            json!({"state": "refused", "rsvId": 7}),
        ] {
            assert_eq!(round_trip(&stored), stored);
        }
    }
}
