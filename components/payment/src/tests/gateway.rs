//! Approve and cancel with a remote gateway: which calls it gets, and when.

use super::*;
use crate::domain::{GatewayError, GatewayId};
use crate::fake_gateway::FakeResponse;
use crate::gateway_intents::GatewayIntent;
use crate::late_refunds::{self, LateRefund};
use crate::ports::{ApprovalOutcome, RefundError};
use kit::Store;
use std::{cell::Cell, collections::BTreeSet, time::Duration};

fn sweep_once(ports: &PaymentPorts<MemoryPlatform, FakeGateway>) -> sweep::SweepSummary {
    sweep_until_settled(&ports.platform, || block_on(sweep::sweep(ports)).unwrap())
}

#[test]
fn an_approval_calls_the_gateway_once_and_leaves_no_intent() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    approve(&ports).unwrap();
    assert_eq!(ports.gateway.approvals.get(), 1);
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
    let stored = format!("{:?}", ports.platform.state.snapshot());
    assert!(!stored.contains("claim/"), "{stored}");
}

#[test]
fn a_refund_calls_the_gateway_once() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    cancel(&ports).unwrap();
    request_cancellation(&ports);
    sweep_once(&ports);
    assert_eq!(ports.gateway.refunds.get(), 1);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn a_declined_approval_leaves_no_payment_and_no_intent() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::Declines);
    let refused = approve(&ports);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::Declined(_)))
    ));
    assert_eq!(list(&ports), (vec![], 0));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn an_approval_that_was_not_requested_leaves_no_intent() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::NotRequested);
    let refused = approve(&ports);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::NotRequested(_)))
    ));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
    cancel(&ports).unwrap();
    sweep_once(&ports);
    assert_eq!(ports.gateway.refunds.get(), 0);
}

#[test]
fn an_approval_that_was_not_requested_keeps_the_intent_of_another() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.gateway.response.set(FakeResponse::NotRequested);
    assert!(approve(&ports).is_err());
    assert!(ports.gateway.holds(RESERVATION));
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn money_of_an_unknown_outcome_is_refunded_without_a_cancel() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    assert!(ports.gateway.holds(RESERVATION));
    assert_eq!(sweep_once(&ports).settled, 1);
    assert!(!ports.gateway.holds(RESERVATION));
    assert!(approve(&ports).is_err(), "the payment was cancelled");
}

#[test]
fn an_approval_with_an_unknown_outcome_can_be_repeated() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.gateway.response.set(FakeResponse::Approves);
    assert!(approve(&ports).is_ok());
    sweep_once(&ports);
    assert!(ports.gateway.holds(RESERVATION));
    assert_eq!(outcome(&ports), "paid");
}

#[test]
fn an_approval_that_arrives_after_the_cancel_is_refunded() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::ChargesLate);
    assert!(approve(&ports).is_err());
    cancel(&ports).unwrap();
    block_on(sweep::sweep(&ports)).unwrap();
    ports.gateway.deliver_delayed();
    assert!(ports.gateway.holds(RESERVATION));
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn a_cancel_without_an_approval_does_not_call_the_gateway() {
    let ports = with_remote_gateway();
    cancel(&ports).unwrap();
    cancel(&ports).unwrap();
    assert!(approve(&ports).is_err());
    assert_eq!(ports.gateway.approvals.get(), 0);
    assert_eq!(ports.gateway.refunds.get(), 0);
}

#[test]
fn a_cancel_after_an_unknown_outcome_does_not_call_the_gateway() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    cancel(&ports).unwrap();
    assert_eq!(ports.gateway.refunds.get(), 0);
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn an_intent_of_an_older_version_is_settled() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    let saved = stored_intents(&ports.platform).remove(0);
    block_on(async {
        let outbox = &ports.platform.outbox;
        let value = outbox.get(&saved).await.unwrap().unwrap();
        outbox.delete(&saved).await.unwrap();
        outbox.set("asked/7", &value).await.unwrap();
    });
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn a_failed_refund_is_final_and_repeated_by_the_sweep() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    ports.gateway.failing_refunds.set(2);
    request_cancellation(&ports);
    assert_eq!(outcome(&ports), "cancelled");
    assert_eq!(list(&ports).0, ["paid"], "the refund is pending");
    assert!(approve(&ports).is_err());
    assert_eq!(sweep_once(&ports).open, 1);
    assert_eq!(sweep_once(&ports).settled, 1);
    assert_eq!(list(&ports).0, ["cancelled"]);
    let log = ports.platform.log.borrow();
    let (_, refund) = log.last().unwrap();
    assert!(matches!(refund.event, Event::PaymentCancelled(_)));
    assert_eq!(
        refund.correlationid, "customer",
        "the sweep keeps the correlation id"
    );
}

#[test]
fn a_failed_refund_of_an_unknown_outcome_is_repeated() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    ports.gateway.failing_refunds.set(2);
    assert!(approve(&ports).is_err());
    assert_eq!(cancel(&ports).unwrap().state.outcome(), "none");
    assert_eq!(sweep_once(&ports).open, 1);
    assert_eq!(sweep_once(&ports).settled, 1);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

/// A gateway during whose approval the payment is cancelled.
struct CancelledDuringApproval<'a>(&'a PaymentPorts<MemoryPlatform, FakeGateway>);

impl Gateway for CancelledDuringApproval<'_> {
    fn id(&self) -> Option<GatewayId> {
        self.0.gateway.id()
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> ApprovalOutcome {
        let origin = Origin::new("cancel");
        commands::cancel::<_, _, Refusal>(self.0, &origin, RESERVATION)
            .await
            .unwrap();
        self.0.gateway.approve(order).await
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        self.0.gateway.refund(id).await
    }
}

/// A gateway during whose refund another approval begins.
struct ApprovedDuringRefund<'a>(&'a MemoryPlatform);

impl Gateway for ApprovedDuringRefund<'_> {
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
        let origin = Origin::new("another approval");
        let saved = GatewayIntent::approval(&self.0, id, self.id())
            .save(&self.0, &origin)
            .await;
        saved.map_err(|error| RefundError(error.to_string()))
    }
}

#[test]
fn the_sweep_keeps_the_intent_of_an_approval_that_began_meanwhile() {
    let platform = MemoryPlatform::new();
    let ports = PaymentPorts {
        platform: &platform,
        gateway: ApprovedDuringRefund(&platform),
    };
    let origin = Origin::new("approval");
    let unknown = block_on(commands::approve(&ports, &origin, order(RESERVATION)));
    assert!(unknown.is_err());
    let first = stored_intents(&platform);
    let summary = sweep_until_settled(&platform, || block_on(sweep::sweep(&ports)).unwrap());
    assert_eq!(summary.settled, 1);
    let second = stored_intents(&platform);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

#[test]
fn a_cancel_during_an_approval_refunds_the_money() {
    for failing_refunds in 0..3 {
        let ports = with_remote_gateway();
        ports.gateway.failing_refunds.set(failing_refunds);
        let interleaved = PaymentPorts {
            platform: &ports.platform,
            gateway: CancelledDuringApproval(&ports),
        };
        let origin = Origin::new("approval");
        let refused = block_on(commands::approve(&interleaved, &origin, order(RESERVATION)));
        assert!(matches!(
            refused,
            Err(ChangeError::Refused(Refusal::Cancelled(RESERVATION)))
        ));
        // The approval refunds when it finds the payment cancelled.
        assert_eq!(ports.gateway.holds(RESERVATION), failing_refunds > 0);
        sweep_once(&ports);
        sweep_once(&ports);
        assert!(!ports.gateway.holds(RESERVATION));
        assert_eq!(list(&ports), (vec![], 0));
        assert_eq!(stored_intents(&ports.platform), [""; 0]);
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

/// The clock of the host that sweeps is a minute ahead of the host whose approval is under way.
#[test]
fn an_approval_under_way_is_not_settled_because_clocks_differ() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.platform.advance(Duration::from_secs(60));
    assert_eq!(block_on(sweep::sweep(&ports)).unwrap().settled, 0);
}
