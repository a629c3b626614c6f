//! Another gateway is configured between a payment and its refund: the gateway that took the money returns it.

use super::*;
use crate::fake_gateway::FakeResponse;
use kit::Store;

type Ports<G> = PaymentPorts<MemoryPlatform, G>;

/// Restarts the context with another gateway; returns the gateway that it had.
fn restart<G, N>(ports: Ports<G>, gateway: N) -> (Ports<N>, G) {
    let platform = ports.platform;
    (PaymentPorts { platform, gateway }, ports.gateway)
}

fn without_remote_gateway<G>(ports: Ports<G>) -> (Ports<BuiltInGateway>, G) {
    restart(ports, BuiltInGateway::new(""))
}

/// Sweeps for half an hour.
fn sweep_long<G: Gateway>(ports: &Ports<G>) {
    for _ in 0..360 {
        ports.platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(ports)).unwrap();
    }
}

/// Removes what the version before did not store.
fn forget_the_gateway(platform: &MemoryPlatform) {
    block_on(async {
        let value = platform.state.get("payment/7").await.unwrap().unwrap();
        let mut value: serde_json::Value = serde_json::from_slice(&value).unwrap();
        let removed = value["state"].as_object_mut().unwrap().remove("gateway");
        assert!(removed.is_some(), "{value}");
        let value = value.to_string();
        platform
            .state
            .set("payment/7", value.as_bytes())
            .await
            .unwrap();
    });
}

#[test]
fn a_refund_waits_for_the_gateway_that_took_the_money() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    let (ports, gateway) = without_remote_gateway(ports);
    request_cancellation(&ports);
    sweep_all(&ports);
    assert!(gateway.holds(RESERVATION));
    assert_eq!(list(&ports).0, ["paid"]);
    assert_eq!(outcome(&ports), "cancelled", "the refund is decided");
    assert_eq!(ports.platform.published_types(), ["PaymentApproved"]);
    assert_eq!(stored_intents(&ports.platform), ["undo/7"]);

    let (ports, _) = restart(ports, gateway);
    sweep_all(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(list(&ports).0, ["cancelled"]);
    assert_eq!(
        ports.platform.published_types(),
        ["PaymentApproved", "PaymentCancelled"]
    );
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn another_remote_gateway_is_not_asked_for_the_refund() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    let (ports, gateway) = restart(ports, FakeGateway::at("http://gateway/other"));
    cancel(&ports).unwrap();
    sweep_all(&ports);
    assert_eq!(ports.gateway.refunds.get(), 0);
    assert_eq!(list(&ports).0, ["paid"]);
    let (ports, _) = restart(ports, gateway);
    sweep_all(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(list(&ports).0, ["cancelled"]);
}

#[test]
fn money_of_an_unknown_outcome_waits_for_the_gateway_that_was_asked() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    let (ports, gateway) = without_remote_gateway(ports);
    sweep_all(&ports);
    assert!(gateway.holds(RESERVATION));
    assert_eq!(stored_intents(&ports.platform).len(), 1);
    let (ports, _) = restart(ports, gateway);
    sweep_all(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

#[test]
fn money_that_is_taken_late_waits_for_the_gateway_that_was_asked() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::ChargesLate);
    assert!(approve(&ports).is_err());
    sweep_until_settled(&ports.platform, || block_on(sweep::sweep(&ports)).unwrap());
    ports.gateway.deliver_delayed();
    let (ports, gateway) = without_remote_gateway(ports);
    for _ in 0..3 {
        ports.platform.advance(Duration::from_secs(24 * 60 * 60));
        block_on(sweep::sweep(&ports)).unwrap();
    }
    assert!(gateway.holds(RESERVATION));
    let (ports, _) = restart(ports, gateway);
    sweep_long(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
}

#[test]
fn a_payment_that_was_repeated_at_another_gateway_leaves_no_money_at_the_first() {
    let ports = with_remote_gateway();
    ports.gateway.response.set(FakeResponse::FailsCharged);
    assert!(approve(&ports).is_err());
    let (ports, gateway) = restart(ports, FakeGateway::at("http://other/pay"));
    approve(&ports).unwrap();
    sweep_all(&ports);
    assert!(gateway.holds(RESERVATION));
    let (ports, other) = restart(ports, gateway);
    sweep_all(&ports);
    assert!(!ports.gateway.holds(RESERVATION));
    assert!(other.holds(RESERVATION));
    assert_eq!(other.refunds.get(), 0);
    assert_eq!(list(&ports).0, ["paid"]);
}

#[test]
fn a_payment_of_the_built_in_gateway_is_cancelled_without_the_remote_one() {
    let ports = with_built_in_gateway("");
    approve(&ports).unwrap();
    let (ports, _) = restart(ports, FakeGateway::default());
    ports.gateway.failing_refunds.set(1);
    request_cancellation(&ports);
    assert_eq!(list(&ports).0, ["cancelled"]);
    assert_eq!(ports.gateway.refunds.get(), 0);
    assert_eq!(stored_intents(&ports.platform), [""; 0]);
}

/// It is unknown who took the money, so the configured gateway is asked, as in the version before.
#[test]
fn a_payment_of_an_older_version_is_refunded_by_the_configured_gateway() {
    let ports = with_remote_gateway();
    approve(&ports).unwrap();
    forget_the_gateway(&ports.platform);
    let (ports, gateway) = restart(ports, FakeGateway::at("http://other/pay"));
    ports.gateway.failing_refunds.set(1);
    cancel(&ports).unwrap();
    assert_eq!(ports.gateway.refunds.get(), 1);
    // From the decision on, it is the gateway that was asked.
    let (ports, other) = restart(ports, gateway);
    sweep_all(&ports);
    assert_eq!(ports.gateway.refunds.get(), 0);
    let (ports, _) = restart(ports, other);
    sweep_all(&ports);
    assert_eq!(list(&ports).0, ["cancelled"]);
}

#[test]
fn a_payment_of_an_older_version_is_cancelled_by_the_built_in_gateway() {
    let ports = with_built_in_gateway("");
    approve(&ports).unwrap();
    forget_the_gateway(&ports.platform);
    cancel(&ports).unwrap();
    assert_eq!(list(&ports).0, ["cancelled"]);
}
