//! Fakes of the car and the payment context.

use crate::ports::{
    ApprovalOutcome, Cars, HoldOutcome, Payments, ReleaseOutcome, ReservationPorts,
};
use events::{CarId, CustomerId, PaymentId, ReservationId};
use kit::{Effect, Origin, Unavailable, memory::MemoryPlatform};
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
    pub effect: Cell<Effect>,
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
            effect: Cell::new(Effect::Unknown),
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
    ) -> Result<HoldOutcome, Unavailable> {
        self.held.borrow_mut().insert(id.0);
        self.hold.get().ok_or(call_error(Effect::Unknown))
    }

    async fn release(
        &self,
        _: &Origin,
        _: CarId,
        id: ReservationId,
    ) -> Result<ReleaseOutcome, Unavailable> {
        if self.compensation_fails.get() {
            return Err(call_error(Effect::TimedOut));
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
        _: Option<&CustomerId>,
    ) -> Result<ApprovalOutcome, Unavailable> {
        let approval = self.approval.get();
        let has_no_effect = approval.is_none() && self.effect.get() == Effect::None;
        if approval != Some(ApprovalOutcome::Declined) && !has_no_effect {
            self.paid.borrow_mut().insert(id.0);
        }
        approval.ok_or(call_error(self.effect.get()))
    }

    async fn cancel(&self, _: &Origin, id: ReservationId) -> Result<(), Unavailable> {
        self.cancels.set(self.cancels.get() + 1);
        if self.compensation_fails.get() {
            return Err(call_error(Effect::TimedOut));
        }
        self.paid.borrow_mut().remove(&id.0);
        Ok(())
    }

    async fn paid_payment(
        &self,
        _: &Origin,
        id: ReservationId,
    ) -> Result<Option<PaymentId>, Unavailable> {
        let is_paid = self.paid.borrow().contains(&id.0);
        Ok(is_paid.then_some(PaymentId(id.0)))
    }
}

/// A failed call; a retry makes sense in 7 s.
fn call_error(effect: Effect) -> Unavailable {
    Unavailable {
        message: "no response".into(),
        retry_after: Some(7),
        effect,
    }
}
