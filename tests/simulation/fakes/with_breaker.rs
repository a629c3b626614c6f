//! The other contexts behind circuit breakers, as the adapter of stock Spin calls them.
//!
//! An open breaker fails a call at once, instead of after its timeout.

use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::{Breaker, Origin, Platform, Unavailable};
use reservation::ports::{ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome};

/// A port whose calls pass a circuit breaker, if there is one.
pub struct WithBreaker<P, C> {
    context: C,
    breaker: Option<Breaker<P>>,
}

impl<P: Platform, C> WithBreaker<P, C> {
    /// The port `context` behind `breaker`; `None` when the host has breakers of its own.
    pub fn new(context: C, breaker: Option<Breaker<P>>) -> Self {
        Self { context, breaker }
    }

    async fn guard<T>(
        &self,
        call: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        match &self.breaker {
            Some(breaker) => breaker.call(call).await,
            None => call.await,
        }
    }
}

impl<P: Platform, C: Cars> Cars for WithBreaker<P, C> {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, Unavailable> {
        self.guard(self.context.hold(origin, car, id)).await
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable> {
        self.guard(self.context.release(origin, car, id)).await
    }
}

impl<P: Platform, Y: Payments> Payments for WithBreaker<P, Y> {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
        customer: Option<&CustomerId>,
    ) -> Result<ApprovalOutcome, Unavailable> {
        let approval = self.context.approve(origin, id, car, amount, customer);
        self.guard(approval).await
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        self.guard(self.context.cancel(origin, id)).await
    }

    async fn paid_payment(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        self.guard(self.context.paid_payment(origin, id)).await
    }
}
