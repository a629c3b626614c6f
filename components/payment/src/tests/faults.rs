//! The store or the log begins to fail at any one call, as when the process is killed there. What was under way is then
//! finished or compensated, and the gateway, the events and the list agree.

use super::*;
use crate::fake_gateway::FakeResponse;
use std::collections::BTreeSet;

/// More calls than any use case makes to one store.
const CALLS: u32 = 16;

/// Runs `scenario` once for every pair of calls at which the two stores begin to fail, with and without a failing log.
fn for_every_fault<G: Gateway>(
    ports: impl Fn() -> PaymentPorts<MemoryPlatform, G>,
    scenario: impl Fn(&PaymentPorts<MemoryPlatform, G>, &dyn Fn(&MemoryPlatform)),
) {
    for state in 0..CALLS {
        for outbox in 0..CALLS {
            for log_is_down in [false, true] {
                let fault = move |platform: &MemoryPlatform| {
                    platform.state.fail_after(state);
                    platform.outbox.fail_after(outbox);
                    platform.log_is_down.set(log_is_down);
                };
                scenario(&ports(), &fault);
            }
        }
    }
}

fn end_faults(platform: &MemoryPlatform) {
    platform.state.recover();
    platform.outbox.recover();
    platform.log_is_down.set(false);
}

/// Checks that the gateway, the events and the list agree.
fn assert_consistent(ports: &PaymentPorts<MemoryPlatform, FakeGateway>) {
    let is_paid = outcome(ports) == "paid";
    assert_eq!(ports.gateway.holds(RESERVATION), is_paid);
    assert_published_and_listed(ports);
}

/// Checks that the events and the list agree with the stored payment.
fn assert_published_and_listed<G>(ports: &PaymentPorts<MemoryPlatform, G>) {
    let (published, listed): (&[&str], _) = match outcome(ports) {
        "paid" => (&["PaymentApproved"], vec!["paid"]),
        "cancelled" => (&["PaymentApproved", "PaymentCancelled"], vec!["cancelled"]),
        _ => (&[], vec![]),
    };
    // An event can be published twice, with one id.
    let log = ports.platform.log.borrow();
    let ids: BTreeSet<_> = log.iter().map(|(_, event)| event.id.as_str()).collect();
    let mut types = ports.platform.published_types();
    types.sort();
    types.dedup();
    assert_eq!((types, ids.len()), (published.to_vec(), published.len()));
    let count = listed.len() as u64;
    assert_eq!(list(ports), (listed, count));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn an_interrupted_approval_is_recorded_or_has_no_effect() {
    for_every_fault(
        || with_built_in_gateway(""),
        |ports, fault| {
            fault(&ports.platform);
            let result = approve(ports);
            end_faults(&ports.platform);
            sweep_all(ports);
            assert_published_and_listed(ports);
            if result.is_ok() {
                assert_eq!(outcome(ports), "paid");
            }
            assert!(approve(ports).is_ok(), "the approval can be repeated");
            sweep_all(ports);
            assert_eq!(list(ports), (vec!["paid"], 1));
        },
    );
}

#[test]
fn an_interrupted_approval_that_is_cancelled_takes_no_money() {
    for_every_fault(
        || with_built_in_gateway(""),
        |ports, fault| {
            fault(&ports.platform);
            let _ = approve(ports);
            end_faults(&ports.platform);
            cancel(ports).unwrap();
            assert!(approve(ports).is_err());
            sweep_all(ports);
            assert_ne!(outcome(ports), "paid");
            assert_published_and_listed(ports);
        },
    );
}

#[test]
fn an_interrupted_cancel_that_is_repeated_returns_the_money() {
    for_every_fault(
        || with_built_in_gateway(""),
        |ports, fault| {
            approve(ports).unwrap();
            fault(&ports.platform);
            let _ = cancel(ports);
            end_faults(&ports.platform);
            request_cancellation(ports);
            sweep_all(ports);
            assert_eq!(outcome(ports), "cancelled");
            assert_published_and_listed(ports);
        },
    );
}

#[test]
fn an_interrupted_approval_leaves_no_unrecorded_money_at_the_gateway() {
    for response in [
        FakeResponse::Approves,
        FakeResponse::Declines,
        FakeResponse::NotRequested,
        FakeResponse::FailsUncharged,
        FakeResponse::FailsCharged,
        FakeResponse::ChargesLate,
    ] {
        for_every_fault(with_remote_gateway, |ports, fault| {
            ports.gateway.response.set(response);
            fault(&ports.platform);
            let result = approve(ports);
            end_faults(&ports.platform);
            ports.gateway.deliver_delayed();
            sweep_all(ports);
            assert_consistent(ports);
            if result.is_ok() {
                assert_eq!(outcome(ports), "paid");
            }
        });
    }
}

#[test]
fn a_cancel_before_a_delayed_approval_wins_when_either_is_interrupted() {
    for_every_fault(with_remote_gateway, |ports, fault| {
        ports.gateway.response.set(FakeResponse::ChargesLate);
        fault(&ports.platform);
        let _ = approve(ports);
        end_faults(&ports.platform);
        fault(&ports.platform);
        let _ = cancel(ports);
        end_faults(&ports.platform);
        cancel(ports).unwrap();
        ports.gateway.deliver_delayed();
        sweep_all(ports);
        assert_eq!(outcome(ports), "none");
        assert_consistent(ports);
    });
}

#[test]
fn an_interrupted_cancel_refunds_at_the_gateway_or_has_no_effect() {
    for refused in 0..3 {
        for_every_fault(with_remote_gateway, |ports, fault| {
            approve(ports).unwrap();
            ports.gateway.failing_refunds.set(refused);
            fault(&ports.platform);
            let result = cancel(ports);
            end_faults(&ports.platform);
            sweep_all(ports);
            assert_consistent(ports);
            if result.is_ok() {
                assert_eq!(outcome(ports), "cancelled");
            }
        });
    }
}

#[test]
fn a_store_that_reports_every_swap_as_lost_changes_nothing() {
    let ports = with_remote_gateway();
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
