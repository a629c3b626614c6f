//! Fakes of the car and the payment context.

use crate::ports::{
    ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome, RemoteCallError, RemoteEffect,
    ReservationPorts,
};
use events::{CarId, PaymentId, ReservationId};
use kit::{Origin, memory::MemoryPlatform};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

/// The ports of a test.
pub type TestPorts<'a> = ReservationPorts<MemoryPlatform, &'a FakeContexts, &'a FakeContexts>;

/// The car and the payment context in memory. An outcome of `None` is a failed call.
pub struct FakeContexts {
    /// The outcome of a hold.
    pub hold: Cell<Option<HoldOutcome>>,
    /// The outcome of an approval.
    pub approval: Cell<Option<ApprovalOutcome>>,
    /// The reservations whose car is held.
    pub held: RefCell<BTreeSet<u64>>,
    /// The reservations that are paid.
    pub paid: RefCell<BTreeSet<u64>>,
    /// Whether every release and cancel fails.
    pub compensation_fails: Cell<bool>,
    /// Whether every release finds no car.
    pub car_is_unknown: Cell<bool>,
    /// What a failed approval may have done.
    pub effect: Cell<RemoteEffect>,
    /// How many cancels were sent to the payment context.
    pub cancels: Cell<u32>,
}

impl FakeContexts {
    /// Contexts in which every call succeeds.
    pub fn new() -> Self {
        Self {
            hold: Cell::new(Some(HoldOutcome::Held { amount: 5 })),
            approval: Cell::new(Some(ApprovalOutcome::Paid(PaymentId(1)))),
            held: RefCell::default(),
            paid: RefCell::default(),
            compensation_fails: Cell::new(false),
            car_is_unknown: Cell::new(false),
            effect: Cell::new(RemoteEffect::Unknown),
            cancels: Cell::new(0),
        }
    }

    /// Ports over an empty platform and these contexts.
    pub fn ports(&self) -> TestPorts<'_> {
        ReservationPorts {
            platform: MemoryPlatform::new(),
            cars: self,
            payments: self,
        }
    }
}

impl Cars for &FakeContexts {
    async fn hold(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<HoldOutcome, RemoteCallError> {
        self.held.borrow_mut().insert(id.0);
        self.hold.get().ok_or(call_error(RemoteEffect::Unknown))
    }

    async fn release(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, RemoteCallError> {
        if self.compensation_fails.get() {
            return Err(call_error(RemoteEffect::TimedOut));
        }
        if self.car_is_unknown.get() {
            return Ok(ReleaseOutcome::UnknownCar);
        }
        self.held.borrow_mut().remove(&id.0);
        Ok(ReleaseOutcome::Released)
    }
}

impl Payments for &FakeContexts {
    async fn approve(
        &self,
        _: &Origin,
        id: ReservationId,
        _: CarId,
        _: u64,
    ) -> Result<ApprovalOutcome, RemoteCallError> {
        let approval = self.approval.get();
        let has_no_effect = approval.is_none() && self.effect.get() == RemoteEffect::None;
        if approval != Some(ApprovalOutcome::Declined) && !has_no_effect {
            self.paid.borrow_mut().insert(id.0);
        }
        approval.ok_or(call_error(self.effect.get()))
    }

    async fn cancel(&self, _: &Origin, id: ReservationId) -> Result<(), RemoteCallError> {
        self.cancels.set(self.cancels.get() + 1);
        if self.compensation_fails.get() {
            return Err(call_error(RemoteEffect::TimedOut));
        }
        self.paid.borrow_mut().remove(&id.0);
        Ok(())
    }

    async fn paid_payment(
        &self,
        _: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, RemoteCallError> {
        let is_paid = self.paid.borrow().contains(&id.0);
        Ok(is_paid.then_some(PaymentId(id.0)))
    }
}

/// A failed call; a retry makes sense in 7 s.
fn call_error(effect: RemoteEffect) -> RemoteCallError {
    RemoteCallError {
        message: "no response".into(),
        retry_after: Some(7),
        effect,
    }
}
