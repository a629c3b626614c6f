//! The store or the log falls silent at every call, as it does when the process is killed there.
//! Whatever was under way is then finished or undone, and money and books agree.

use super::*;
use crate::memory::Behaviour;
use std::collections::BTreeSet;

/// More calls than any use case makes of one store.
const CALLS: u32 = 14;

/// Runs `story` with a silence beginning at every call to every store, and on the way to a log that
/// is down as well.
fn everywhere<G: Gateway>(
    payments: impl Fn() -> Payments<MemoryPlatform, G>,
    story: impl Fn(&Payments<MemoryPlatform, G>, &dyn Fn(&MemoryPlatform)),
) {
    for state in 0..CALLS {
        for outbox in 0..CALLS {
            for log_is_down in [false, true] {
                let fault = move |platform: &MemoryPlatform| {
                    platform.state.fail_after(state);
                    platform.outbox.fail_after(outbox);
                    platform.log_is_down.set(log_is_down);
                };
                story(&payments(), &fault);
            }
        }
    }
}

fn mend(platform: &MemoryPlatform) {
    platform.state.recover();
    platform.outbox.recover();
    platform.log_is_down.set(false);
}

/// Everything is quiet: what is held, announced and listed is one story.
fn assert_consistent(payments: &Payments<MemoryPlatform, MemoryGateway>) {
    let is_paid = outcome(payments) == "paid";
    assert_eq!(payments.gateway.holds(RESERVATION), is_paid);
    assert_books_agree(payments);
}

fn assert_books_agree<G>(payments: &Payments<MemoryPlatform, G>) {
    let (announced, listed): (&[&str], _) = match outcome(payments) {
        "paid" => (&["PaymentApproved"], vec!["paid"]),
        "cancelled" => (&["PaymentApproved", "PaymentCancelled"], vec!["cancelled"]),
        _ => (&[], vec![]),
    };
    // An event may be published twice, under one id.
    let log = payments.platform.log.borrow();
    let ids: BTreeSet<_> = log.iter().map(|(_, event)| event.id.as_str()).collect();
    let mut types = payments.platform.published_types();
    types.sort();
    types.dedup();
    assert_eq!((types, ids.len()), (announced.to_vec(), announced.len()));
    let count = listed.len() as u64;
    assert_eq!(list(payments), (listed, count));
    assert_eq!(notes(&payments.platform), [""; 0]);
}

#[test]
fn an_approval_that_dies_is_recorded_or_never_was() {
    everywhere(
        || with_ledger(""),
        |payments, fault| {
            fault(&payments.platform);
            let answer = approve(payments);
            mend(&payments.platform);
            sweep_up(payments);
            assert_books_agree(payments);
            if answer.is_ok() {
                assert_eq!(outcome(payments), "paid");
            }
            assert!(approve(payments).is_ok(), "it can be tried again");
            sweep_up(payments);
            assert_eq!(list(payments), (vec!["paid"], 1));
        },
    );
}

#[test]
fn an_approval_that_dies_and_is_cancelled_takes_no_money() {
    everywhere(
        || with_ledger(""),
        |payments, fault| {
            fault(&payments.platform);
            let _ = approve(payments);
            mend(&payments.platform);
            cancel(payments).unwrap();
            assert!(approve(payments).is_err());
            sweep_up(payments);
            assert_ne!(outcome(payments), "paid");
            assert_books_agree(payments);
        },
    );
}

#[test]
fn a_cancel_that_dies_and_is_repeated_returns_the_money() {
    everywhere(
        || with_ledger(""),
        |payments, fault| {
            approve(payments).unwrap();
            fault(&payments.platform);
            let _ = cancel(payments);
            mend(&payments.platform);
            request_cancellation(payments);
            sweep_up(payments);
            assert_eq!(outcome(payments), "cancelled");
            assert_books_agree(payments);
        },
    );
}

#[test]
fn an_approval_that_dies_at_a_gateway_leaves_no_money_behind() {
    for behaviour in [
        Behaviour::Approves,
        Behaviour::Declines,
        Behaviour::IsCutOff,
        Behaviour::Fails,
        Behaviour::TakesSilently,
        Behaviour::IsLate,
    ] {
        everywhere(with_gateway, |payments, fault| {
            payments.gateway.behaviour.set(behaviour);
            fault(&payments.platform);
            let answer = approve(payments);
            mend(&payments.platform);
            payments.gateway.arrive();
            sweep_up(payments);
            assert_consistent(payments);
            if answer.is_ok() {
                assert_eq!(outcome(payments), "paid");
            }
        });
    }
}

#[test]
fn a_cancel_that_overtakes_a_late_approval_wins_wherever_either_dies() {
    everywhere(with_gateway, |payments, fault| {
        payments.gateway.behaviour.set(Behaviour::IsLate);
        fault(&payments.platform);
        let _ = approve(payments);
        mend(&payments.platform);
        fault(&payments.platform);
        let _ = cancel(payments);
        mend(&payments.platform);
        cancel(payments).unwrap();
        payments.gateway.arrive();
        sweep_up(payments);
        assert_eq!(outcome(payments), "none");
        assert_consistent(payments);
    });
}

#[test]
fn a_cancel_that_dies_at_a_gateway_returns_the_money_or_never_was() {
    for refused in 0..3 {
        everywhere(with_gateway, |payments, fault| {
            approve(payments).unwrap();
            payments.gateway.refused_undos.set(refused);
            fault(&payments.platform);
            let answer = cancel(payments);
            mend(&payments.platform);
            sweep_up(payments);
            assert_consistent(payments);
            if answer.is_ok() {
                assert_eq!(outcome(payments), "cancelled");
            }
        });
    }
}

#[test]
fn a_provider_that_denies_every_swap_changes_nothing() {
    let payments = with_gateway();
    payments.platform.state.denies_swaps.set(true);
    approve(&payments).unwrap();
    assert_eq!(list(&payments), (vec!["paid"], 1));
    cancel(&payments).unwrap();
    assert_eq!(list(&payments), (vec!["cancelled"], 1));
    assert_eq!(
        payments.platform.published_types(),
        ["PaymentApproved", "PaymentCancelled"]
    );
}
