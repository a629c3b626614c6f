//! The payments in their store: the stored form, and the one place that knows their keys.
//!
//! A payment lives under its reservation's number, so that whoever knows the reservation needs
//! nothing else. Its own number is a pointer to that, written *before* the payment: a payment that
//! exists can always be found by its number, and a number counts only if the payment it leads to
//! says the same.

use crate::domain::{Order, Payment, Receipt};
use events::{CarId, PAYMENT_STREAM, PaymentId, ReservationId};
use kit::{
    Aggregates, ChangeError, Decision, Lookup, Origin, Persistent, Platform, Store, StoreError,
    Versioned, claim, numbering,
};
use serde::{Deserialize, Serialize};

/// All payments of this context, and who takes the money.
pub struct Payments<P, G> {
    /// Stores, log and clock.
    pub platform: P,
    /// Who takes the money.
    pub gateway: G,
}

impl<P: Platform, G> Payments<P, G> {
    /// The payments of `platform`, whose money `gateway` takes.
    pub fn new(platform: P, gateway: G) -> Self {
        Self { platform, gateway }
    }

    /// Reads what is known of a reservation's payment.
    ///
    /// # Errors
    ///
    /// The store's silence, or a value that cannot be read.
    pub async fn find<R>(
        &self,
        id: ReservationId,
    ) -> Result<Option<Versioned<Payment>>, ChangeError<R>> {
        self.aggregates().load(&key(id)).await
    }

    /// Returns once it is safe to change a payment that may not exist yet.
    pub(crate) async fn claim(&self, id: ReservationId) -> Result<(), StoreError> {
        claim::claim(&self.platform, &key(id)).await
    }

    /// Changes a reservation's payment and announces it; returns it as it then is.
    ///
    /// # Errors
    ///
    /// What `decide` refuses, and what the store cannot do.
    pub(crate) async fn change<R>(
        &self,
        id: ReservationId,
        origin: &Origin,
        mut decide: impl FnMut(Option<&Payment>) -> Result<Decision<Payment, ()>, R>,
    ) -> Result<Versioned<Payment>, ChangeError<R>> {
        let decide = |before: Option<&Versioned<Payment>>| decide(before.map(|it| &it.state));
        let changed = self.aggregates().change(&key(id), origin, decide).await?;
        // Every decision here leaves something behind.
        changed
            .current
            .ok_or_else(|| ChangeError::Contended(key(id)))
    }

    /// Gives out the next payment's number, leading to `id`.
    pub(crate) async fn number(&self, id: ReservationId) -> Result<PaymentId, StoreError> {
        let number = PaymentId(numbering::allocate(&self.platform).await?);
        let pointer = id.to_string();
        self.platform
            .state()
            .set(&self::pointer(number), pointer.as_bytes())
            .await?;
        Ok(number)
    }

    /// Follows a payment's number.
    pub(crate) async fn follow<R>(
        &self,
        number: PaymentId,
    ) -> Result<Lookup<Versioned<Payment>>, ChangeError<R>> {
        let pointer = self.platform.state().get(&pointer(number)).await?;
        let id = pointer.and_then(|text| std::str::from_utf8(&text).ok()?.parse().ok());
        let Some(id) = id else {
            return Ok(Lookup::Missing);
        };
        Ok(match self.find(id).await? {
            None => Lookup::Missing,
            Some(payment) => match payment.state.receipt() {
                Some(receipt) if receipt.id == number => Lookup::Found(payment),
                _ => Lookup::Deleted,
            },
        })
    }

    fn aggregates(&self) -> Aggregates<'_, P> {
        Aggregates::new(&self.platform, PAYMENT_STREAM, "socar/payment")
    }
}

fn key(id: ReservationId) -> String {
    format!("payment/{id}")
}

fn pointer(number: PaymentId) -> String {
    format!("pay/{number}")
}

/// How a payment is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum PaymentRecord {
    /// [`Payment::Paid`].
    Paid(ReceiptRecord),
    /// [`Payment::Refunding`].
    Refunding(ReceiptRecord),
    /// [`Payment::Cancelled`].
    Cancelled(ReceiptRecord),
    /// [`Payment::Refused`].
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Whose payment there will not be.
        rsv_id: ReservationId,
    },
}

/// How a receipt is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptRecord {
    pay_id: PaymentId,
    rsv_id: ReservationId,
    car_id: CarId,
    amount: u64,
}

impl Persistent for Payment {
    type Record = PaymentRecord;

    fn to_record(&self) -> PaymentRecord {
        match *self {
            Self::Paid(receipt) => PaymentRecord::Paid(receipt.into()),
            Self::Refunding(receipt) => PaymentRecord::Refunding(receipt.into()),
            Self::Cancelled(receipt) => PaymentRecord::Cancelled(receipt.into()),
            Self::Refused(rsv_id) => PaymentRecord::Refused { rsv_id },
        }
    }

    fn from_record(record: PaymentRecord) -> Self {
        match record {
            PaymentRecord::Paid(receipt) => Self::Paid(receipt.into()),
            PaymentRecord::Refunding(receipt) => Self::Refunding(receipt.into()),
            PaymentRecord::Cancelled(receipt) => Self::Cancelled(receipt.into()),
            PaymentRecord::Refused { rsv_id } => Self::Refused(rsv_id),
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
            },
        }
    }
}
