//! Does the platform stop calling a payment gateway that fails, and use it again once it recovers? Customers get a
//! correct refusal, and no customer is charged without a reservation. Checkpoint circuit breaker.

mod fixture;

use std::time::{Duration, Instant};

use harness::{BodyEnd, Decision, GatewayFault, Mode, Reservation, Response, Setup, eventually};
use http::Method;
use serde_json::json;

use fixture::{Fixture, assert_fails_fast, assert_unavailable};

fn assert_breaker_opens_and_recovers(mode: Mode, fault: GatewayFault) {
    let fixture = Fixture::start(mode);
    fixture.expect_all(201, 3);

    fixture.gateway.set_fault(fault);
    fixture
        .reserve_concurrently(8)
        .iter()
        .for_each(assert_unavailable);
    eventually(|| fixture.breaker(), |it| it["openings"] != 0);
    fixture
        .wait_until_rejecting("open")
        .iter()
        .for_each(assert_fails_fast);
    let metrics = fixture.platform.admin().metrics();
    let opened = format!(
        "socar_breaker_transitions_total{{link=\"{}\",to=\"open\"}}",
        fixture.link()
    );
    assert!(metrics.contains(&opened), "{metrics}");

    fixture.gateway.clear_fault();
    eventually(
        || (fixture.reserve_concurrently(1), fixture.breaker()),
        |(_, breaker)| breaker["state"] == "closed",
    );
    fixture.expect_all(201, 3);
    fixture.assert_consistent();
}

#[test]
fn a_gateway_that_hangs_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(Mode::Embedded, GatewayFault::Hangs);
}

#[test]
fn a_gateway_that_is_too_slow_opens_the_breaker_and_recovers() {
    let fault = GatewayFault::Slow(Duration::from_secs(3));
    assert_breaker_opens_and_recovers(Mode::Embedded, fault);
}

#[test]
fn a_gateway_that_fails_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(Mode::Embedded, GatewayFault::ServerError);
}

#[test]
fn a_gateway_that_refuses_connections_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(Mode::Embedded, GatewayFault::RefusesConnections);
}

#[test]
fn a_gateway_that_stalls_in_its_response_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(Mode::Embedded, GatewayFault::PartialBody(BodyEnd::Stalls));
}

#[test]
fn a_gateway_that_aborts_its_response_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(
        Mode::Embedded,
        GatewayFault::PartialBody(BodyEnd::Disconnects),
    );
}

#[test]
fn a_gateway_that_hangs_opens_the_breaker_and_recovers_on_a_redis() {
    assert_breaker_opens_and_recovers(Mode::Redis, GatewayFault::Hangs);
}

#[test]
fn every_breaker_transition_is_published_and_logged_once() {
    let fixture = Fixture::start(Mode::Embedded);
    fixture.gateway.set_fault(GatewayFault::ServerError);
    fixture.reserve_concurrently(8);
    fixture.wait_until_rejecting("open");
    fixture.gateway.clear_fault();
    eventually(
        || (fixture.reserve_concurrently(1), fixture.breaker_events()),
        |(_, events)| {
            events
                .last()
                .is_some_and(|it| it["type"] == "BreakerClosed")
        },
    );

    let events = fixture.breaker_events();
    let mut before = json!("closed");
    for (number, event) in (1..).zip(&events) {
        let data = &event["data"];
        assert_eq!(data["link"], fixture.link(), "{event:#}");
        assert_eq!(data["sequence"], number, "each change is events once");
        assert_eq!(data["from"], before, "{event:#}");
        before = data["to"].clone();
    }
    let reason = "8 calls in a row failed";
    assert_eq!(events[0]["type"], "BreakerOpened");
    assert_eq!(events[0]["data"]["reason"], reason);
    let link = fixture.link();
    let logged = || -> Vec<String> {
        let log = fixture.platform.output();
        let lines = log
            .lines()
            .filter(|line| line.contains("breaker ") && line.contains(&link));
        lines.map(str::to_owned).collect()
    };
    let about_it = eventually(logged, |lines| lines.len() >= events.len());
    assert_eq!(about_it.len(), events.len(), "{about_it:#?}");
    assert!(about_it[0].contains(reason), "{about_it:#?}");
}

/// Too few customers for a rate of failures: one in more than a second.
#[test]
fn a_payment_context_that_hangs_is_cut_off_also_with_few_customers() {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let link = "reservation -> payment";
    let fault = json!({"from": "reservation", "to": "payment", "fault": "latency", "latency_ms": 60_000, "seconds": 600});
    platform.admin().inject_fault(&fault);
    let reserve_two = || {
        let cars = [(); 2].map(|()| platform.register_car("besieged"));
        platform.concurrently(2, |index| platform.try_reserve(&cars[index]).status)
    };
    let mut customers = 0;
    while platform.admin().breaker(link)["state"] != "open" {
        customers += 2;
        assert!(customers <= 12, "the breaker is still closed");
        assert_eq!(reserve_two(), [503, 503]);
    }
    let began = Instant::now();
    assert_eq!(reserve_two(), [503, 503]);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn declined_payments_open_no_breaker() {
    let fixture = Fixture::start(Mode::Embedded);
    let expensive = fixture.platform.register_car("too dear");
    fixture.gateway.decide(&expensive, Decision::Decline);
    // More than twice the number of failures that would open the breaker.
    for _ in 0..25 {
        let response = fixture.platform.try_reserve(&expensive);
        response.problem(402, "payment-declined");
    }
    let breaker = fixture.breaker();
    assert_eq!(breaker["state"], "closed", "{breaker:#}");
    assert_eq!(breaker["totals"]["failed"], 0, "{breaker:#}");
    assert_eq!(fixture.gateway.approvals_of(&expensive).len(), 25);
    fixture.assert_consistent();
}

#[test]
fn an_operator_forces_a_breaker_open_and_closed_and_resets_it() {
    let fixture = Fixture::start(Mode::Embedded);
    let link = fixture.link();
    fixture.expect_all(201, 1);

    let breaker = fixture
        .platform
        .admin()
        .control_breaker("force-open", &link);
    assert_eq!(breaker["state"], "forced-open", "{breaker:#}");
    fixture
        .wait_until_rejecting("forced-open")
        .iter()
        .for_each(assert_fails_fast);

    // A breaker that is forced closed admits every call, whatever the results.
    fixture
        .platform
        .admin()
        .control_breaker("force-closed", &link);
    fixture.gateway.set_fault(GatewayFault::ServerError);
    let before = fixture.gateway.request_count();
    fixture
        .reserve_concurrently(12)
        .iter()
        .for_each(assert_unavailable);
    assert!(fixture.gateway.request_count() >= before + 12);
    assert_eq!(fixture.breaker()["state"], "disabled");
    let breaker = fixture.platform.admin().control_breaker("disable", &link);
    assert_eq!(breaker["state"], "disabled", "an alias of force-closed");

    fixture.gateway.clear_fault();
    let breaker = fixture.platform.admin().control_breaker("reset", &link);
    assert_eq!(breaker["state"], "closed", "{breaker:#}");
    fixture.expect_all(201, 3);
    fixture.assert_consistent();
}

#[test]
fn a_payment_that_was_not_sent_is_not_refunded() {
    let fixture = Fixture::start(Mode::Embedded);
    fixture.expect_all(201, 1);
    fixture
        .platform
        .admin()
        .control_breaker("force-open", &fixture.link());
    let refused = fixture.wait_until_rejecting("forced-open");
    for timed in &refused {
        let retry_after = timed.response.header("retry-after");
        assert_eq!(
            retry_after, "30",
            "the time of the breaker, and not of payment"
        );
    }

    fixture
        .platform
        .admin()
        .control_breaker("reset", &fixture.link());
    let car = fixture.platform.register_car("undone");
    fixture.gateway.decide(&car, Decision::Fail);
    let failed = reservation_of(&fixture.platform.try_reserve(&car).is(503));
    // When this payment is refunded, every refund that was recorded earlier has been sent, too.
    eventually(
        || fixture.gateway.refunds_of(&failed),
        |refunds| !refunds.is_empty(),
    );
    fixture.assert_consistent();
    for timed in &refused {
        let refunds = fixture.gateway.refunds_of(&reservation_of(&timed.response));
        assert!(refunds.is_empty(), "{refunds:#?}");
    }
}

fn reservation_of(response: &Response) -> Reservation {
    Reservation::with_id(response.json()["rsvId"].as_u64().expect("a number"))
}

#[test]
fn a_command_for_an_unknown_breaker_is_refused() {
    let fixture = Fixture::start(Mode::Embedded);
    let force_open = |link: &str| {
        let request = fixture
            .platform
            .admin()
            .request(Method::POST, "/breakers/force-open");
        request.json(&json!({ "link": link })).send()
    };
    force_open("payment -> unknown").problem(404, "not-found");
    force_open("clock -> payment").problem(409, "conflict");
}
