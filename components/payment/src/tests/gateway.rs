//! Approve and cancel with a remote gateway: which calls it gets, and when.

use super::*;
use crate::domain::{GatewayError, GatewayId};
use crate::fake_gateway::FakeResponse;
use crate::gateway_intents::GatewayIntent;
use crate::ports::{ApprovalOutcome, RefundError};
use kit::Store;

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

/// The clock of the host that sweeps is a minute ahead of the host whose approval is under way.
#[test]
fn an_approval_under_way_is_not_settled_because_clocks_differ() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.platform.advance(Duration::from_secs(60));
    assert_eq!(block_on(sweep::sweep(&ports)).unwrap().settled, 0);
}
