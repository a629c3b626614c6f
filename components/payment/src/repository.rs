//! Loading and saving payments: the one place that knows their keys.
//!
//! A payment is stored under its reservation's number, so a caller that knows the reservation can find it. The
//! payment's own number is a pointer key, written *before* the payment: every stored payment can be found by its
//! number. A number counts only if the payment that it points to carries the same number.

mod record;

use crate::domain::Payment;
use events::{CustomerId, PAYMENT_STREAM, PaymentId, ReservationId};
use kit::{
    Aggregates, ChangeError, Decision, Lookup, NumberIndex, Origin, Platform, Store, StoreError,
    Versioned, claim, numbering,
};

/// The stored payments of a platform.
pub struct PaymentRepository<'a, P> {
    platform: &'a P,
}

impl<'a, P: Platform> PaymentRepository<'a, P> {
    /// The payments in the store of `platform`.
    pub fn new(platform: &'a P) -> Self {
        Self { platform }
    }

    /// Loads the payment of a reservation; `None` when nothing is recorded.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails or the stored value cannot be read.
    pub async fn find<R>(
        &self,
        id: ReservationId,
    ) -> Result<Option<Versioned<Payment>>, ChangeError<R>> {
        self.aggregates().load(&key(id)).await
    }

    /// Finds a payment by its own number.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails or the stored value cannot be read.
    pub async fn find_by_number<R>(
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

    /// Returns once it is safe to create the payment of a reservation with [`Self::change`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn claim(&self, id: ReservationId) -> Result<(), StoreError> {
        claim::claim(self.platform, &key(id)).await.map(drop)
    }

    /// As [`Self::claim`], for a payment that the caller has just found absent.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn claim_absent(&self, id: ReservationId) -> Result<(), StoreError> {
        claim::claim_absent(self.platform, &key(id)).await.map(drop)
    }

    /// Changes the payment of a reservation and announces the change; returns the payment as it is afterwards.
    ///
    /// `decide` is called again after each lost compare-and-swap. It must not keep a payment absent.
    ///
    /// # Errors
    ///
    /// What `decide` returns, and [`ChangeError`] when the store fails.
    pub async fn change<R>(
        &self,
        id: ReservationId,
        origin: &Origin,
        mut decide: impl FnMut(Option<&Payment>) -> Result<Decision<Payment, ()>, R>,
    ) -> Result<Versioned<Payment>, ChangeError<R>> {
        let decide = |before: Option<&Versioned<Payment>>| decide(before.map(|it| &it.state));
        let key = key(id);
        let changed = self.aggregates().change(&key, origin, decide).await?;
        let current = changed.current;
        if current.as_ref().is_some_and(|payment| payment.version == 1) {
            // The key exists, so nothing has to claim it any more. A counter that stays costs a few bytes.
            let _ = claim::release(self.platform, &key).await;
        }
        current.ok_or(ChangeError::Contended(key))
    }

    /// Allocates the next payment number, with a pointer to the reservation `id`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; the number may then be lost.
    pub async fn allocate_number(&self, id: ReservationId) -> Result<PaymentId, StoreError> {
        let pointer_of = |number| pointer(PaymentId(number));
        let number = PaymentId(numbering::allocate(self.platform, pointer_of).await?);
        let value = id.to_string();
        let state = self.platform.state();
        state.set(&pointer(number), value.as_bytes()).await?;
        Ok(number)
    }

    /// The index of the payments of a customer. A number is added before its payment is stored, so that no crash leaves a
    /// payment out of the list.
    pub fn of_customer(&self, customer: &CustomerId) -> NumberIndex<'a, P> {
        NumberIndex::new(self.platform, "customer", customer)
    }

    fn aggregates(&self) -> Aggregates<'a, P> {
        Aggregates::new(self.platform, PAYMENT_STREAM, "socar/payment")
    }
}

fn key(id: ReservationId) -> String {
    format!("payment/{id}")
}

fn pointer(number: PaymentId) -> String {
    format!("pay/{number}")
}
