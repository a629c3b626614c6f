//! The store or the log falls silent at every call, as it does when the process is killed there.
//! Whatever was under way is then finished or undone, and money and books agree.

use super::*;
use crate::fake_gateway::FakeResponse;
use std::collections::BTreeSet;

/// More calls than any use case makes of one store.
const CALLS: u32 = 14;

/// Runs `story` with a silence beginning at every call to every store, and on the way to a log that
/// is down as well.
fn everywhere<G: Gateway>(
    ports: impl Fn() -> PaymentPorts<MemoryPlatform, G>,
    story: impl Fn(&PaymentPorts<MemoryPlatform, G>, &dyn Fn(&MemoryPlatform)),
) {
    for state in 0..CALLS {
        for outbox in 0..CALLS {
            for log_is_down in [false, true] {
                let fault = move |platform: &MemoryPlatform| {
                    platform.state.fail_after(state);
                    platform.outbox.fail_after(outbox);
                    platform.log_is_down.set(log_is_down);
                };
                story(&ports(), &fault);
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
fn assert_consistent(ports: &PaymentPorts<MemoryPlatform, FakeGateway>) {
    let is_paid = outcome(ports) == "paid";
    assert_eq!(ports.gateway.holds(RESERVATION), is_paid);
    assert_books_agree(ports);
}

fn assert_books_agree<G>(ports: &PaymentPorts<MemoryPlatform, G>) {
    let (announced, listed): (&[&str], _) = match outcome(ports) {
        "paid" => (&["PaymentApproved"], vec!["paid"]),
        "cancelled" => (&["PaymentApproved", "PaymentCancelled"], vec!["cancelled"]),
        _ => (&[], vec![]),
    };
    // An event may be published twice, under one id.
    let log = ports.platform.log.borrow();
    let ids: BTreeSet<_> = log.iter().map(|(_, event)| event.id.as_str()).collect();
    let mut types = ports.platform.published_types();
    types.sort();
    types.dedup();
    assert_eq!((types, ids.len()), (announced.to_vec(), announced.len()));
    let count = listed.len() as u64;
    assert_eq!(list(ports), (listed, count));
    assert_eq!(notes(&ports.platform), [""; 0]);
}

#[test]
fn an_approval_that_dies_is_recorded_or_never_was() {
    everywhere(
        || with_ledger(""),
        |ports, fault| {
            fault(&ports.platform);
            let answer = approve(ports);
            mend(&ports.platform);
            sweep_up(ports);
            assert_books_agree(ports);
            if answer.is_ok() {
                assert_eq!(outcome(ports), "paid");
            }
            assert!(approve(ports).is_ok(), "it can be tried again");
            sweep_up(ports);
            assert_eq!(list(ports), (vec!["paid"], 1));
        },
    );
}

#[test]
fn an_approval_that_dies_and_is_cancelled_takes_no_money() {
    everywhere(
        || with_ledger(""),
        |ports, fault| {
            fault(&ports.platform);
            let _ = approve(ports);
            mend(&ports.platform);
            cancel(ports).unwrap();
            assert!(approve(ports).is_err());
            sweep_up(ports);
            assert_ne!(outcome(ports), "paid");
            assert_books_agree(ports);
        },
    );
}

#[test]
fn a_cancel_that_dies_and_is_repeated_returns_the_money() {
    everywhere(
        || with_ledger(""),
        |ports, fault| {
            approve(ports).unwrap();
            fault(&ports.platform);
            let _ = cancel(ports);
            mend(&ports.platform);
            request_cancellation(ports);
            sweep_up(ports);
            assert_eq!(outcome(ports), "cancelled");
            assert_books_agree(ports);
        },
    );
}

#[test]
fn an_approval_that_dies_at_a_gateway_leaves_no_money_behind() {
    for behaviour in [
        FakeResponse::Approves,
        FakeResponse::Declines,
        FakeResponse::NotRequested,
        FakeResponse::FailsUncharged,
        FakeResponse::FailsCharged,
        FakeResponse::ChargesLate,
    ] {
        everywhere(with_gateway, |ports, fault| {
            ports.gateway.response.set(behaviour);
            fault(&ports.platform);
            let answer = approve(ports);
            mend(&ports.platform);
            ports.gateway.deliver_delayed();
            sweep_up(ports);
            assert_consistent(ports);
            if answer.is_ok() {
                assert_eq!(outcome(ports), "paid");
            }
        });
    }
}

#[test]
fn a_cancel_that_overtakes_a_late_approval_wins_wherever_either_dies() {
    everywhere(with_gateway, |ports, fault| {
        ports.gateway.response.set(FakeResponse::ChargesLate);
        fault(&ports.platform);
        let _ = approve(ports);
        mend(&ports.platform);
        fault(&ports.platform);
        let _ = cancel(ports);
        mend(&ports.platform);
        cancel(ports).unwrap();
        ports.gateway.deliver_delayed();
        sweep_up(ports);
        assert_eq!(outcome(ports), "none");
        assert_consistent(ports);
    });
}

#[test]
fn a_cancel_that_dies_at_a_gateway_returns_the_money_or_never_was() {
    for refused in 0..3 {
        everywhere(with_gateway, |ports, fault| {
            approve(ports).unwrap();
            ports.gateway.failing_refunds.set(refused);
            fault(&ports.platform);
            let answer = cancel(ports);
            mend(&ports.platform);
            sweep_up(ports);
            assert_consistent(ports);
            if answer.is_ok() {
                assert_eq!(outcome(ports), "cancelled");
            }
        });
    }
}

#[test]
fn a_provider_that_denies_every_swap_changes_nothing() {
    let ports = with_gateway();
    ports.platform.state.denies_swaps.set(true);
    approve(&ports).unwrap();
    assert_eq!(list(&ports), (vec!["paid"], 1));
    cancel(&ports).unwrap();
    assert_eq!(list(&ports), (vec!["cancelled"], 1));
    assert_eq!(
        ports.platform.published_types(),
        ["PaymentApproved", "PaymentCancelled"]
    );
}
