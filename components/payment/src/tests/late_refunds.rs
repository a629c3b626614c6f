//! Late refunds: a gateway that takes money long after the refund is asked again, in time and not too often.

use super::*;
use crate::domain::{GatewayError, GatewayId};
use crate::fake_gateway::FakeResponse;
use crate::late_refunds::{self, LateRefund};
use crate::ports::{ApprovalOutcome, RefundError};
use kit::Store;
use std::{cell::Cell, collections::BTreeSet};

/// The gateway has queued the request, and processes it minutes after everybody has given up.
#[test]
fn money_that_is_taken_minutes_late_is_returned() {
    for minutes in [1, 5, 45, 300, 1000] {
        let ports = with_remote_gateway();
        ports.gateway.response.set(FakeResponse::ChargesLate);
        assert!(approve(&ports).is_err());
        cancel(&ports).unwrap();
        sweep_once(&ports);
        ports.platform.advance(Duration::from_secs(minutes * 60));
        block_on(sweep::sweep(&ports)).unwrap();
        ports.gateway.deliver_delayed();
        assert!(ports.gateway.holds(RESERVATION), "{minutes}");
        for _ in 0..3 {
            ports.platform.advance(Duration::from_secs(24 * 60 * 60));
            block_on(sweep::sweep(&ports)).unwrap();
        }
        assert!(!ports.gateway.holds(RESERVATION), "{minutes}");
    }
}

#[test]
fn late_refunds_end_after_a_day() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsUncharged);
    assert!(approve(&ports).is_err());
    sweep_once(&ports);
    let keys = || block_on(ports.platform.outbox.keys()).unwrap();
    assert!(keys().iter().any(|key| key.starts_with("late/")));
    for _ in 0..6 {
        ports.platform.advance(Duration::from_secs(24 * 60 * 60));
        block_on(sweep::sweep(&ports)).unwrap();
    }
    assert_eq!(keys(), [""; 0]);
    assert_eq!(ports.gateway.refunds.get(), 6);
}

/// A gateway whose refunds hang until their timeout for every reservation but [`RESERVATION`].
struct HangingGateway<'a> {
    platform: &'a MemoryPlatform,
    /// The refunds that hung, and those that did not.
    refunds: Cell<(u32, u32)>,
    is_restored: Cell<bool>,
}

impl Gateway for HangingGateway<'_> {
    fn id(&self) -> Option<GatewayId> {
        Some(GatewayId::remote("http://gateway/pay"))
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, _: &Order) -> ApprovalOutcome {
        ApprovalOutcome::Unknown(GatewayError::new("no response"))
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        let (hung, ended) = self.refunds.get();
        if id == RESERVATION || self.is_restored.get() {
            self.refunds.set((hung, ended + 1));
            return Ok(());
        }
        self.refunds.set((hung + 1, ended));
        self.platform.advance(Duration::from_millis(1500));
        Err(RefundError("no response".into()))
    }
}

/// Late refunds of these reservations, and a gateway whose refunds hang.
fn with_hanging_gateway<'a>(
    platform: &'a MemoryPlatform,
    reservations: impl IntoIterator<Item = u64>,
) -> PaymentPorts<&'a MemoryPlatform, HangingGateway<'a>> {
    for id in reservations {
        let late = LateRefund::first(platform, ReservationId(id));
        block_on(late.save(platform, None)).unwrap();
    }
    platform.advance(Duration::from_secs(60));
    PaymentPorts {
        platform,
        gateway: HangingGateway {
            platform,
            refunds: Cell::default(),
            is_restored: Cell::default(),
        },
    }
}

#[test]
fn late_refunds_that_hang_do_not_delay_another_for_ever() {
    let platform = MemoryPlatform::new();
    let ports = with_hanging_gateway(&platform, [1, 2, RESERVATION.0]);
    for _ in 0..2 {
        platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(&ports)).unwrap();
    }
    assert_eq!(ports.gateway.refunds.get().1, 1);
}

#[test]
fn a_late_refund_that_hangs_is_tried_less_and_less_often_and_in_the_end() {
    let platform = MemoryPlatform::new();
    let ports = with_hanging_gateway(&platform, [1]);
    for _ in 0..60 * 12 {
        platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(&ports)).unwrap();
    }
    let (hung, _) = ports.gateway.refunds.get();
    assert!((10..=13).contains(&hung), "{hung} in an hour");
    ports.gateway.is_restored.set(true);
    for _ in 0..10 * 12 {
        platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(&ports)).unwrap();
    }
    assert_eq!(ports.gateway.refunds.get(), (hung, 1));
}

/// The clock of the host that failed was a day ahead.
#[test]
fn a_late_refund_is_not_postponed_by_a_wrong_clock() {
    let platform = MemoryPlatform::new();
    let ports = with_hanging_gateway(&platform, [1]);
    let day = Duration::from_secs(24 * 60 * 60);
    platform.advance(day);
    block_on(sweep::sweep(&ports)).unwrap();
    platform.set_back(day);
    ports.gateway.is_restored.set(true);
    block_on(sweep::sweep(&ports)).unwrap();
    assert_eq!(ports.gateway.refunds.get(), (1, 1));
}

#[test]
fn each_late_refund_is_the_first_of_some_sweep() {
    let platform = MemoryPlatform::new();
    with_hanging_gateway(&platform, 1..=3);
    let firsts = (0..3).map(|_| {
        platform.advance(Duration::from_millis(1));
        let backlog = block_on(kit::Backlog::load(&platform, &[])).unwrap();
        late_refunds::due(&platform, &backlog)[0].reservation
    });
    assert_eq!(firsts.collect::<BTreeSet<_>>().len(), 3);
}

/// The clock was ten days ahead when the late refund was stored.
#[test]
fn a_late_refund_of_a_wrong_clock_is_due() {
    let ports = with_remote_gateway();
    ports
        .platform
        .advance(Duration::from_secs(10 * 24 * 60 * 60));
    ports.gateway.response.set(FakeResponse::FailsUncharged);
    assert!(approve(&ports).is_err());
    sweep_once(&ports);
    ports
        .platform
        .set_back(Duration::from_secs(10 * 24 * 60 * 60));
    assert_eq!(block_on(sweep::sweep(&ports)).unwrap().repeated, 1);
}
