//! Approving and cancelling with a gateway elsewhere: what it is asked, and when.

use super::*;
use crate::domain::GatewayError;
use crate::fake_gateway::FakeResponse;
use crate::gateway_intents::GatewayIntent;
use crate::ports::{ApprovalOutcome, RefundError};
use kit::{Store, outbox::STALE_AFTER};

fn sweep_once(ports: &PaymentPorts<MemoryPlatform, FakeGateway>) -> sweep::SweepSummary {
    ports.platform.advance(STALE_AFTER);
    block_on(sweep::sweep(ports)).unwrap()
}

#[test]
fn the_gateway_is_asked_once_and_nothing_stays_noted() {
    let ports = with_gateway();
    approve(&ports).unwrap();
    approve(&ports).unwrap();
    assert_eq!(ports.gateway.approvals.get(), 1);
    assert_eq!(notes(&ports.platform), [""; 0]);
}

#[test]
fn an_ordinary_refund_asks_the_gateway_once() {
    let ports = with_gateway();
    approve(&ports).unwrap();
    cancel(&ports).unwrap();
    request_cancellation(&ports);
    sweep_once(&ports);
    assert_eq!(ports.gateway.refunds.get(), 1);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn a_decline_leaves_no_payment_and_nothing_to_settle() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::Declines);
    let refused = approve(&ports);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::Declined(_)))
    ));
    assert_eq!(list(&ports), (vec![], 0));
    assert_eq!(notes(&ports.platform), [""; 0]);
}

#[test]
fn a_gateway_that_was_not_asked_leaves_nothing_to_settle() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::NotRequested);
    let refused = approve(&ports);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::NotRequested(_)))
    ));
    assert_eq!(notes(&ports.platform), [""; 0]);
    cancel(&ports).unwrap();
    sweep_once(&ports);
    assert_eq!(ports.gateway.refunds.get(), 0);
}

#[test]
fn one_approval_that_asked_nobody_does_not_speak_for_another() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.gateway.response.set(FakeResponse::NotRequested);
    assert!(approve(&ports).is_err());
    assert!(ports.gateway.holds(RESERVATION));
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn money_taken_silently_is_returned_even_if_nobody_cancels() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    assert!(ports.gateway.holds(RESERVATION));
    assert_eq!(sweep_once(&ports).settled, 1);
    assert!(!ports.gateway.holds(RESERVATION));
    assert!(approve(&ports).is_err(), "it was given up");
}

#[test]
fn an_unknown_outcome_can_be_asked_for_again() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    ports.gateway.response.set(FakeResponse::Approves);
    assert!(approve(&ports).is_ok());
    sweep_once(&ports);
    assert!(ports.gateway.holds(RESERVATION));
    assert_eq!(outcome(&ports), "paid");
}

#[test]
fn a_request_that_arrives_after_the_cancel_is_undone() {
    let ports = with_gateway();
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
fn a_cancel_that_nothing_went_before_asks_the_gateway_for_nothing() {
    let ports = with_gateway();
    cancel(&ports).unwrap();
    cancel(&ports).unwrap();
    assert!(approve(&ports).is_err());
    assert_eq!(ports.gateway.approvals.get(), 0);
    assert_eq!(ports.gateway.refunds.get(), 0);
}

#[test]
fn who_gives_up_an_unknown_outcome_does_not_wait_for_the_gateway_again() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    cancel(&ports).unwrap();
    assert_eq!(ports.gateway.refunds.get(), 0);
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(notes(&ports.platform), [""; 0]);
}

#[test]
fn a_note_of_an_older_version_is_settled() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    let saved = notes(&ports.platform).remove(0);
    block_on(async {
        let outbox = &ports.platform.outbox;
        let note = outbox.get(&saved).await.unwrap().unwrap();
        outbox.delete(&saved).await.unwrap();
        outbox.set("asked/7", &note).await.unwrap();
    });
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(notes(&ports.platform), [""; 0]);
}

#[test]
fn a_refund_that_fails_is_decided_all_the_same_and_tried_again() {
    let ports = with_gateway();
    approve(&ports).unwrap();
    ports.gateway.failing_refunds.set(2);
    request_cancellation(&ports);
    assert_eq!(outcome(&ports), "cancelled");
    assert_eq!(list(&ports).0, ["paid"], "the money is not returned yet");
    assert!(approve(&ports).is_err());
    assert_eq!(sweep_once(&ports).open, 1);
    assert_eq!(sweep_once(&ports).settled, 1);
    assert_eq!(list(&ports).0, ["cancelled"]);
    let log = ports.platform.log.borrow();
    let (_, refund) = log.last().unwrap();
    assert!(matches!(refund.event, Event::PaymentCancelled(_)));
    assert_eq!(
        refund.correlationid, "customer",
        "the thread is not lost on the way through the sweep"
    );
}

#[test]
fn an_undo_that_fails_after_an_unknown_outcome_is_tried_again() {
    let ports = with_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    ports.gateway.failing_refunds.set(2);
    assert!(approve(&ports).is_err());
    assert_eq!(cancel(&ports).unwrap().state.outcome(), "none");
    assert_eq!(sweep_once(&ports).open, 1);
    assert_eq!(sweep_once(&ports).open, 1);
    sweep_once(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(notes(&ports.platform), [""; 0]);
}

/// A gateway at which, while it takes the money, the reservation is given up.
struct GivenUpMeanwhile<'a>(&'a PaymentPorts<MemoryPlatform, FakeGateway>);

impl Gateway for GivenUpMeanwhile<'_> {
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

/// A gateway at which, while it returns the money, the payment is asked for again.
struct AskedMeanwhile<'a>(&'a MemoryPlatform);

impl Gateway for AskedMeanwhile<'_> {
    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, _: &Order) -> ApprovalOutcome {
        ApprovalOutcome::Unknown(GatewayError::new("it does not answer"))
    }

    async fn refund(&self, id: ReservationId) -> Result<(), RefundError> {
        let origin = Origin::new("another approval");
        let saved = GatewayIntent::approval(&self.0, id)
            .save(&self.0, &origin)
            .await;
        saved.map_err(|error| RefundError(error.to_string()))
    }
}

#[test]
fn the_sweep_leaves_the_note_of_an_approval_that_began_meanwhile() {
    let platform = MemoryPlatform::new();
    let ports = PaymentPorts {
        platform: &platform,
        gateway: AskedMeanwhile(&platform),
    };
    let origin = Origin::new("approval");
    let unknown = block_on(commands::approve(&ports, &origin, order(RESERVATION)));
    assert!(unknown.is_err());
    let first = notes(&platform);
    platform.advance(STALE_AFTER);
    assert_eq!(block_on(sweep::sweep(&ports)).unwrap().settled, 1);
    let second = notes(&platform);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

#[test]
fn a_cancel_while_the_gateway_takes_the_money_has_it_returned() {
    for failing_refunds in 0..3 {
        let ports = with_gateway();
        ports.gateway.failing_refunds.set(failing_refunds);
        let meddled = PaymentPorts {
            platform: &ports.platform,
            gateway: GivenUpMeanwhile(&ports),
        };
        let origin = Origin::new("approval");
        let refused = block_on(commands::approve(&meddled, &origin, order(RESERVATION)));
        assert!(matches!(
            refused,
            Err(ChangeError::Refused(Refusal::Cancelled(RESERVATION)))
        ));
        // The approval undoes what it did when it finds out.
        assert_eq!(ports.gateway.holds(RESERVATION), failing_refunds > 0);
        sweep_once(&ports);
        sweep_once(&ports);
        assert!(!ports.gateway.holds(RESERVATION));
        assert_eq!(list(&ports), (vec![], 0));
        assert_eq!(notes(&ports.platform), [""; 0]);
    }
}
