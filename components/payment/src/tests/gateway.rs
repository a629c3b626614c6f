//! Approving and cancelling with a gateway elsewhere: what it is asked, and when.

use super::*;
use crate::domain::Silence;
use crate::memory::Behaviour;
use crate::ports::{Approval, NotUndone};
use crate::todo::Todo;
use kit::{Store, outbox::STALE_AFTER};

fn sweep_once(payments: &Payments<MemoryPlatform, MemoryGateway>) -> sweep::Swept {
    payments.platform.advance(STALE_AFTER);
    block_on(sweep::sweep(payments)).unwrap()
}

#[test]
fn the_gateway_is_asked_once_and_nothing_stays_noted() {
    let payments = with_gateway();
    approve(&payments).unwrap();
    approve(&payments).unwrap();
    assert_eq!(payments.gateway.asked.get(), 1);
    assert_eq!(notes(&payments.platform), [""; 0]);
}

#[test]
fn an_ordinary_refund_asks_the_gateway_once() {
    let payments = with_gateway();
    approve(&payments).unwrap();
    cancel(&payments).unwrap();
    request_cancellation(&payments);
    sweep_once(&payments);
    assert_eq!(payments.gateway.undone.get(), 1);
    assert!(!payments.gateway.holds(RESERVATION));
}

#[test]
fn a_decline_leaves_no_payment_and_nothing_to_settle() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::Declines);
    let refused = approve(&payments);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::Declined(_)))
    ));
    assert_eq!(list(&payments), (vec![], 0));
    assert_eq!(notes(&payments.platform), [""; 0]);
}

#[test]
fn a_gateway_that_was_not_asked_leaves_nothing_to_settle() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::IsCutOff);
    let refused = approve(&payments);
    assert!(matches!(
        refused,
        Err(ChangeError::Refused(Refusal::NotAsked(_)))
    ));
    assert_eq!(notes(&payments.platform), [""; 0]);
    cancel(&payments).unwrap();
    sweep_once(&payments);
    assert_eq!(payments.gateway.undone.get(), 0);
}

#[test]
fn one_approval_that_asked_nobody_does_not_speak_for_another() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    assert!(approve(&payments).is_err());
    payments.gateway.behaviour.set(Behaviour::IsCutOff);
    assert!(approve(&payments).is_err());
    assert!(payments.gateway.holds(RESERVATION));
    sweep_once(&payments);
    assert!(!payments.gateway.holds(RESERVATION));
}

#[test]
fn money_taken_silently_is_returned_even_if_nobody_cancels() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    assert!(approve(&payments).is_err());
    assert!(payments.gateway.holds(RESERVATION));
    assert_eq!(sweep_once(&payments).settled, 1);
    assert!(!payments.gateway.holds(RESERVATION));
    assert!(approve(&payments).is_err(), "it was given up");
}

#[test]
fn an_unknown_outcome_can_be_asked_for_again() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    assert!(approve(&payments).is_err());
    payments.gateway.behaviour.set(Behaviour::Approves);
    assert!(approve(&payments).is_ok());
    sweep_once(&payments);
    assert!(payments.gateway.holds(RESERVATION));
    assert_eq!(outcome(&payments), "paid");
}

#[test]
fn a_request_that_arrives_after_the_cancel_is_undone() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::IsLate);
    assert!(approve(&payments).is_err());
    cancel(&payments).unwrap();
    block_on(sweep::sweep(&payments)).unwrap();
    payments.gateway.arrive();
    assert!(payments.gateway.holds(RESERVATION));
    sweep_once(&payments);
    assert!(!payments.gateway.holds(RESERVATION));
}

#[test]
fn a_cancel_that_nothing_went_before_asks_the_gateway_for_nothing() {
    let payments = with_gateway();
    cancel(&payments).unwrap();
    cancel(&payments).unwrap();
    assert!(approve(&payments).is_err());
    assert_eq!(payments.gateway.asked.get(), 0);
    assert_eq!(payments.gateway.undone.get(), 0);
}

#[test]
fn who_gives_up_an_unknown_outcome_does_not_wait_for_the_gateway_again() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    assert!(approve(&payments).is_err());
    cancel(&payments).unwrap();
    assert_eq!(payments.gateway.undone.get(), 0);
    sweep_once(&payments);
    assert!(!payments.gateway.holds(RESERVATION));
    assert_eq!(notes(&payments.platform), [""; 0]);
}

#[test]
fn a_note_of_an_older_version_is_settled() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    assert!(approve(&payments).is_err());
    let noted = notes(&payments.platform).remove(0);
    block_on(async {
        let outbox = &payments.platform.outbox;
        let note = outbox.get(&noted).await.unwrap().unwrap();
        outbox.delete(&noted).await.unwrap();
        outbox.set("asked/7", &note).await.unwrap();
    });
    sweep_once(&payments);
    assert!(!payments.gateway.holds(RESERVATION));
    assert_eq!(notes(&payments.platform), [""; 0]);
}

#[test]
fn a_refund_that_fails_is_decided_all_the_same_and_tried_again() {
    let payments = with_gateway();
    approve(&payments).unwrap();
    payments.gateway.refused_undos.set(2);
    request_cancellation(&payments);
    assert_eq!(outcome(&payments), "cancelled");
    assert_eq!(list(&payments).0, ["paid"], "the money is not returned yet");
    assert!(approve(&payments).is_err());
    assert_eq!(sweep_once(&payments).open, 1);
    assert_eq!(sweep_once(&payments).settled, 1);
    assert_eq!(list(&payments).0, ["cancelled"]);
    let log = payments.platform.log.borrow();
    let (_, refund) = log.last().unwrap();
    assert!(matches!(refund.event, Event::PaymentCancelled(_)));
    assert_eq!(
        refund.correlationid, "customer",
        "the thread is not lost on the way through the sweep"
    );
}

#[test]
fn an_undo_that_fails_after_an_unknown_outcome_is_tried_again() {
    let payments = with_gateway();
    payments.gateway.behaviour.set(Behaviour::TakesSilently);
    payments.gateway.refused_undos.set(2);
    assert!(approve(&payments).is_err());
    assert_eq!(cancel(&payments).unwrap().state.outcome(), "none");
    assert_eq!(sweep_once(&payments).open, 1);
    assert_eq!(sweep_once(&payments).open, 1);
    sweep_once(&payments);
    assert!(!payments.gateway.holds(RESERVATION));
    assert_eq!(notes(&payments.platform), [""; 0]);
}

/// A gateway at which, while it takes the money, the reservation is given up.
struct GivenUpMeanwhile<'a>(&'a Payments<MemoryPlatform, MemoryGateway>);

impl Gateway for GivenUpMeanwhile<'_> {
    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, order: &Order) -> Approval {
        let origin = Origin::new("cancel");
        commands::cancel::<_, _, Refusal>(self.0, &origin, RESERVATION)
            .await
            .unwrap();
        self.0.gateway.approve(order).await
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        self.0.gateway.undo(id).await
    }
}

/// A gateway at which, while it returns the money, the payment is asked for again.
struct AskedMeanwhile<'a>(&'a MemoryPlatform);

impl Gateway for AskedMeanwhile<'_> {
    fn is_remote(&self) -> bool {
        true
    }

    async fn approve(&self, _: &Order) -> Approval {
        Approval::Unknown(Silence::new("it does not answer"))
    }

    async fn undo(&self, id: ReservationId) -> Result<(), NotUndone> {
        let origin = Origin::new("another approval");
        let noted = Todo::asked(&self.0, id).note(&self.0, &origin).await;
        noted.map_err(|error| NotUndone(error.to_string()))
    }
}

#[test]
fn the_sweep_leaves_the_note_of_an_approval_that_began_meanwhile() {
    let platform = MemoryPlatform::new();
    let payments = Payments::new(&platform, AskedMeanwhile(&platform));
    let origin = Origin::new("approval");
    let unknown = block_on(commands::approve(&payments, &origin, order(RESERVATION)));
    assert!(unknown.is_err());
    let first = notes(&platform);
    platform.advance(STALE_AFTER);
    assert_eq!(block_on(sweep::sweep(&payments)).unwrap().settled, 1);
    let second = notes(&platform);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second);
}

#[test]
fn a_cancel_while_the_gateway_takes_the_money_has_it_returned() {
    for refused_undos in 0..3 {
        let payments = with_gateway();
        payments.gateway.refused_undos.set(refused_undos);
        let meddled = Payments::new(&payments.platform, GivenUpMeanwhile(&payments));
        let origin = Origin::new("approval");
        let refused = block_on(commands::approve(&meddled, &origin, order(RESERVATION)));
        assert!(matches!(
            refused,
            Err(ChangeError::Refused(Refusal::Cancelled(RESERVATION)))
        ));
        // The approval undoes what it did when it finds out.
        assert_eq!(payments.gateway.holds(RESERVATION), refused_undos > 0);
        sweep_once(&payments);
        sweep_once(&payments);
        assert!(!payments.gateway.holds(RESERVATION));
        assert_eq!(list(&payments), (vec![], 0));
        assert_eq!(notes(&payments.platform), [""; 0]);
    }
}
