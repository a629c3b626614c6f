//! The other contexts behind circuit breakers of this one, for hosts that have none between
//! components. Whoever is cut off is told at once what he would be told after waiting.

use crate::ports::{Approval, Cars, Hold, Payments, Release, Unreachable};
use events::{CarId, PaymentId, ReservationId};
use kit::{Breaker, Origin, Platform};

/// A context, behind a breaker or not.
pub struct Guarded<P, C> {
    context: C,
    breaker: Option<Breaker<P>>,
}

impl<P: Platform, C> Guarded<P, C> {
    /// Guards a context; without a breaker, somebody else does.
    pub fn new(context: C, breaker: Option<Breaker<P>>) -> Self {
        Self { context, breaker }
    }

    async fn guard<T>(
        &self,
        call: impl Future<Output = Result<T, Unreachable>>,
    ) -> Result<T, Unreachable> {
        match &self.breaker {
            Some(breaker) => breaker.call(call).await,
            None => call.await,
        }
    }
}

impl<P: Platform, C: Cars> Cars for Guarded<P, C> {
    async fn hold(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Hold, Unreachable> {
        self.guard(self.context.hold(origin, car, id)).await
    }

    async fn release(
        &self,
        origin: &Origin,
        car: CarId,
        id: ReservationId,
    ) -> Result<Release, Unreachable> {
        self.guard(self.context.release(origin, car, id)).await
    }
}

impl<P: Platform, Y: Payments> Payments for Guarded<P, Y> {
    async fn approve(
        &self,
        origin: &Origin,
        id: ReservationId,
        car: CarId,
        amount: u64,
    ) -> Result<Approval, Unreachable> {
        let approval = self.context.approve(origin, id, car, amount);
        self.guard(approval).await
    }

    async fn cancel(&self, origin: &Origin, id: ReservationId) -> Result<(), Unreachable> {
        self.guard(self.context.cancel(origin, id)).await
    }

    async fn outcome(
        &self,
        origin: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unreachable> {
        self.guard(self.context.outcome(origin, id)).await
    }
}
