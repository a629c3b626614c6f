//! Does the platform stop calling a payment gateway that fails, and use it again once it recovers? Customers get a
//! correct refusal, and no customer is charged without a reservation. Checkpoint circuit breaker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harness::{
    BodyEnd, Decision, GatewayFault, Mode, PaymentGateway, Platform, Reservation, Response, Setup,
    eventually,
};
use http::Method;
use serde_json::{Value, json};

/// The deadline in `spin.toml`, and a tolerance for a busy machine.
const DEADLINE: Duration = Duration::from_secs(5 + 2);

/// The timeout of the payment context for the gateway. A faster response did not wait for the gateway.
const GATEWAY_LIMIT: Duration = Duration::from_millis(1500);

/// A platform with a payment gateway of its own.
struct Fixture {
    platform: Platform,
    gateway: PaymentGateway,
}

/// The response to one customer, and the time that it took.
#[derive(Debug)]
struct TimedResponse {
    response: Response,
    elapsed: Duration,
}

impl Fixture {
    fn start(mode: Mode) -> Self {
        let gateway = PaymentGateway::start();
        let platform = Setup::new(mode)
            .variable("payment_gateway_url", &gateway.url())
            .start();
        Self { platform, gateway }
    }

    fn link(&self) -> String {
        let url = self.gateway.url();
        format!("payment -> {}", url.trim_end_matches("/payments"))
    }

    fn breaker(&self) -> Value {
        self.platform.admin().breaker(&self.link())
    }

    /// Reservations of different cars by this many customers at the same instant.
    fn reserve_concurrently(&self, count: usize) -> Vec<TimedResponse> {
        let register = |_| self.platform.register_car("reserved");
        let cars: Vec<_> = (0..count).map(register).collect();
        self.platform.concurrently(count, |index| {
            let started = Instant::now();
            let response = self.platform.try_reserve(&cars[index]);
            TimedResponse {
                response,
                elapsed: started.elapsed(),
            }
        })
    }

    fn expect_all(&self, status: u16, count: usize) {
        for timed in self.reserve_concurrently(count) {
            timed.response.is(status);
        }
    }

    /// Waits until the breaker is in this state, and makes reservations during which it stays there. The gateway
    /// must receive no request for them.
    fn wait_until_rejecting(&self, state: &str) -> Vec<TimedResponse> {
        let observe = || {
            let before = self.breaker();
            let requests_before = self.gateway.request_count();
            let timed = self.reserve_concurrently(3);
            let requests = self.gateway.request_count() - requests_before;
            (before, timed, self.breaker(), requests)
        };
        // An open breaker sends probes now and then, so only an interval without a transition counts.
        let (_, timed, _, requests) = eventually(observe, |(before, _, after, _)| {
            let is_the_same = |key: &str| before[key] == after[key];
            before["state"] == state && is_the_same("state") && is_the_same("openings")
        });
        assert_eq!(
            requests, 0,
            "the gateway got requests while the breaker was open"
        );
        timed
    }

    /// Waits until every reservation is final. The reserved, the paid and the charged reservations must be the
    /// same.
    fn assert_consistent(&self) {
        let ids = |path: &str, status: &str| -> BTreeSet<u64> {
            let all = self.platform.list(path, |item| item["status"] == status);
            all.iter().filter_map(|it| it["rsvId"].as_u64()).collect()
        };
        eventually(
            || {
                let is_undecided =
                    |item: &Value| item["status"] != "reserved" && item["status"] != "rejected";
                let undecided = self.platform.list("/reservations", is_undecided);
                let reserved = ids("/reservations", "reserved");
                let paid = ids("/payments", "paid");
                (undecided, reserved, paid, self.gateway.charged())
            },
            |(undecided, reserved, paid, charged)| {
                undecided.is_empty() && reserved == paid && paid == charged
            },
        );
    }

    /// The events that the platform published about the breaker.
    fn breaker_events(&self) -> Vec<Value> {
        let about = format!("link/{}", self.link());
        let all = self.platform.events("socar.platform").into_iter();
        all.filter(|event| event["subject"] == *about).collect()
    }
}

/// Expects a refusal with a reason and with a time to retry.
fn assert_unavailable(timed: &TimedResponse) {
    let TimedResponse { response, elapsed } = timed;
    response.problem(503, "unavailable");
    let seconds: Result<u64, _> = response.header("retry-after").parse();
    assert!(
        seconds.is_ok_and(|seconds| (1..=60).contains(&seconds)),
        "{response}"
    );
    assert!(*elapsed < DEADLINE, "{elapsed:?} for {response}");
}

fn assert_fails_fast(timed: &TimedResponse) {
    assert_unavailable(timed);
    assert!(timed.elapsed < GATEWAY_LIMIT, "{:?}", timed.elapsed);
}

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
    let log = fixture.platform.output();
    let lines = log.lines().filter(|line| line.contains("breaker "));
    let about_it: Vec<_> = lines
        .filter(|line| line.contains(&fixture.link()))
        .collect();
    assert_eq!(about_it.len(), events.len(), "{about_it:#?}");
    assert!(about_it[0].contains(reason), "{about_it:#?}");
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
