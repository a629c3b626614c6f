//! Late refunds: a gateway that takes money long after the refund is asked again, in time and not too often.

use super::*;
use crate::domain::{GatewayError, GatewayId};
use crate::fake_gateway::FakeResponse;
use crate::late_refunds::{self, LateRefund};
use crate::ports::{ApprovalOutcome, RefundError};
use kit::{Platform, Store};
use std::{cell::Cell, collections::BTreeSet};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// By how much the clock of the second host is ahead.
const DIFFERENCES: [Duration; 4] = [MINUTE, HOUR, HOUR.saturating_mul(9), DAY.saturating_mul(2)];

/// Sweeps every half a minute for `duration`, in turns on two hosts; the clock of the second one is ahead.
fn sweep_on_two_hosts<T>(
    platform: &MemoryPlatform,
    ahead: Duration,
    duration: Duration,
    sweep: impl Fn() -> T,
) {
    for _ in 0..duration.as_secs() / 30 {
        platform.advance(Duration::from_secs(30));
        sweep();
        let own = platform.host.replace("ahead".into());
        platform.advance(ahead);
        sweep();
        platform.set_back(ahead);
        platform.host.replace(own);
    }
}

/// Sweeps every half a minute for `duration`.
fn sweep_for(ports: &PaymentPorts<MemoryPlatform, FakeGateway>, duration: Duration) {
    for _ in 0..duration.as_secs() / 30 {
        ports.platform.advance(Duration::from_secs(30));
        block_on(sweep::sweep(ports)).unwrap();
    }
}

#[test]
fn late_refunds_keep_their_intervals_although_clocks_differ() {
    for ahead in DIFFERENCES {
        let ports = with_remote_gateway();
        ports.gateway.response.set(FakeResponse::ChargesLate);
        assert!(approve(&ports).is_err());
        cancel(&ports).unwrap();
        let refunds_after = |duration| {
            sweep_on_two_hosts(&ports.platform, ahead, duration, || {
                block_on(sweep::sweep(&ports)).unwrap()
            });
            ports.gateway.refunds.get()
        };
        // The first one of all, and those after one and ten minutes.
        assert_eq!(refunds_after(20 * MINUTE), 3, "{ahead:?}");
        assert_eq!(refunds_after(HOUR), 4, "{ahead:?}");
        assert_eq!(refunds_after(6 * HOUR), 5, "{ahead:?}");
        ports.gateway.deliver_delayed();
        assert_eq!(refunds_after(23 * HOUR), 5, "{ahead:?}");
        assert_eq!(refunds_after(2 * HOUR), 6, "{ahead:?}");
        assert!(!ports.gateway.holds(RESERVATION), "{ahead:?}");
        assert!(stored_late_refunds(&ports.platform).is_empty(), "{ahead:?}");
    }
}

#[test]
fn late_refunds_that_hang_are_tried_less_and_less_often_although_clocks_differ() {
    for ahead in DIFFERENCES {
        let platform = MemoryPlatform::new();
        let ports = with_hanging_gateway(&platform, [1]);
        sweep_on_two_hosts(&platform, ahead, HOUR, || {
            block_on(sweep::sweep(&ports)).unwrap()
        });
        let (hung, _) = ports.gateway.refunds.get();
        assert!((8..=13).contains(&hung), "{ahead:?}: {hung} in an hour");
    }
}

/// The version before stored times by the clock of some host.
#[test]
fn a_late_refund_of_an_older_version_keeps_its_interval() {
    for value in [
        "{}",
        r#"{"count":3,"retry":"2023-11-14T22:13:20.000Z","gateway":"http://gateway/pay"}"#,
    ] {
        let ports = with_remote_gateway();
        let due = ports.platform.now().as_millis();
        let key = format!("late/{RESERVATION}/{due}/4");
        block_on(ports.platform.outbox.set(&key, value.as_bytes())).unwrap();
        let refunds_after = |duration| {
            sweep_on_two_hosts(&ports.platform, 2 * DAY, duration, || {
                block_on(sweep::sweep(&ports)).unwrap()
            });
            ports.gateway.refunds.get()
        };
        assert_eq!(refunds_after(23 * HOUR), 0);
        assert_eq!(stored_late_refunds(&ports.platform).len(), 1);
        assert_eq!(refunds_after(2 * HOUR), 1);
        assert!(stored_late_refunds(&ports.platform).is_empty());
    }
}

/// The gateway has queued the request, and processes it minutes after everybody has given up.
#[test]
fn money_that_is_taken_minutes_late_is_returned() {
    for minutes in [1, 5, 45, 300, 1000] {
        let ports = with_remote_gateway();
        ports.gateway.response.set(FakeResponse::ChargesLate);
        assert!(approve(&ports).is_err());
        cancel(&ports).unwrap();
        sweep_once(&ports);
        sweep_for(&ports, minutes * MINUTE);
        ports.gateway.deliver_delayed();
        assert!(ports.gateway.holds(RESERVATION), "{minutes}");
        sweep_for(&ports, 32 * HOUR);
        assert!(!ports.gateway.holds(RESERVATION), "{minutes}");
    }
}

#[test]
fn late_refunds_end_after_a_day() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsUncharged);
    assert!(approve(&ports).is_err());
    sweep_once(&ports);
    assert_eq!(stored_late_refunds(&ports.platform).len(), 1);
    sweep_for(&ports, 32 * HOUR);
    assert_eq!(stored_late_refunds(&ports.platform), [""; 0]);
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
        let now = block_on(kit::shared_clock::time(platform)).unwrap();
        let late = LateRefund::first(now, ReservationId(id));
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
    for _ in 0..3 {
        platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(&ports)).unwrap();
    }
    assert_eq!(ports.gateway.refunds.get(), (1, 1));
}

#[test]
fn each_late_refund_is_the_first_of_some_sweep() {
    let platform = MemoryPlatform::new();
    with_hanging_gateway(&platform, 1..=3);
    let firsts = (0..3).map(|_| {
        platform.advance(Duration::from_millis(1));
        let backlog = block_on(kit::Backlog::load(&platform, &[])).unwrap();
        let (due, _) = block_on(late_refunds::due(&platform, &backlog)).unwrap();
        due[0].reservation
    });
    assert_eq!(firsts.collect::<BTreeSet<_>>().len(), 3);
}

/// The clock was ten days ahead when the late refund was stored, and was corrected.
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
    sweep_for(&ports, 2 * MINUTE);
    assert_eq!(ports.gateway.refunds.get(), 2);
}
