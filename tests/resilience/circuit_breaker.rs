//! The payment gateway is no help: customers are told so honestly, nobody is charged for nothing, the platform soon leaves
//! the gateway alone, and takes it back by itself when it is well. Checkpoint circuit breaker.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harness::{
    BodyEnd, Decision, Gateway, GatewayFault, Mode, Platform, Reservation, Response, Setup,
    eventually,
};
use http::Method;
use serde_json::{Value, json};

/// The deadline in `spin.toml`, and what a busy machine may add on the way to a customer.
const DEADLINE: Duration = Duration::from_secs(5 + 2);

/// What the payment context gives the gateway. Who is answered sooner did not wait for it.
const GATEWAY_LIMIT: Duration = Duration::from_millis(1500);

/// A platform that takes its money through a gateway of its own.
struct Street {
    platform: Platform,
    gateway: Gateway,
}

/// What one customer got, and how long he waited.
#[derive(Debug)]
struct Served {
    answer: Response,
    waited: Duration,
}

impl Street {
    fn open(mode: Mode) -> Self {
        let gateway = Gateway::start();
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
        self.platform.breaker(&self.link())
    }

    /// So many customers at the same instant, each with a car of his own in mind.
    fn customers(&self, count: usize) -> Vec<Served> {
        let register = |_| self.platform.register_car("wanted");
        let cars: Vec<_> = (0..count).map(register).collect();
        self.platform.concurrently(count, |index| {
            let begun = Instant::now();
            let answer = self.platform.try_reserve(&cars[index]);
            Served {
                answer,
                waited: begun.elapsed(),
            }
        })
    }

    fn everybody_gets(&self, status: u16, count: usize) {
        for served in self.customers(count) {
            served.answer.is(status);
        }
    }

    /// The breaker is open, and so it was all the while that these customers came, whom nobody asked the gateway for.
    fn cuts_off(&self, state: &str) -> Vec<Served> {
        let moment = || {
            let before = self.breaker();
            let asked_before = self.gateway.request_count();
            let served = self.customers(3);
            let asked = self.gateway.request_count() - asked_before;
            (before, served, self.breaker(), asked)
        };
        // An open breaker tries now and then how the gateway is; what counts is the time in between.
        let (_, served, _, asked) = eventually(moment, |(before, _, after, _)| {
            let is_the_same = |key: &str| before[key] == after[key];
            before["state"] == state && is_the_same("state") && is_the_same("openings")
        });
        assert_eq!(asked, 0, "the gateway was asked although it is cut off");
        served
    }

    /// When all is quiet: who is reserved has paid, and whoever has not does not owe anything to anybody.
    fn settles(&self) {
        let ids = |path: &str, status: &str| -> BTreeSet<u64> {
            let all = self.platform.list(path, |item| item["status"] == status);
            all.iter().filter_map(|it| it["rsvId"].as_u64()).collect()
        };
        eventually(
            || {
                let is_undecided =
                    |seen: &Value| seen["status"] != "reserved" && seen["status"] != "rejected";
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

    /// What became of the breaker, as the platform announced it.
    fn announcements(&self) -> Vec<Value> {
        let about = format!("link/{}", self.link());
        let all = self.platform.events("socar.platform").into_iter();
        all.filter(|event| event["subject"] == *about).collect()
    }
}

/// A refusal that says what is the matter, and when to come again.
fn is_honest(served: &Served) {
    let Served { answer, waited } = served;
    answer.problem(503, "unavailable");
    let seconds: Result<u64, _> = answer.header("retry-after").parse();
    assert!(
        seconds.is_ok_and(|seconds| (1..=60).contains(&seconds)),
        "{answer}"
    );
    assert!(*waited < DEADLINE, "{waited:?} for {answer}");
}

fn is_quick(served: &Served) {
    is_honest(served);
    assert!(served.waited < GATEWAY_LIMIT, "{:?}", served.waited);
}

fn assert_breaker_opens_and_recovers(mode: Mode, trouble: GatewayFault) {
    let street = Street::open(mode);
    street.everybody_gets(201, 3);

    street.gateway.set_fault(trouble);
    street.customers(8).iter().for_each(is_honest);
    eventually(|| street.breaker(), |it| it["openings"] != 0);
    street.cuts_off("open").iter().for_each(is_quick);
    let metrics = street.platform.admin("/metrics").text();
    let opened = format!(
        "socar_breaker_transitions_total{{link=\"{}\",to=\"open\"}}",
        street.link()
    );
    assert!(metrics.contains(&opened), "{metrics}");

    street.gateway.clear_fault();
    eventually(
        || (street.customers(1), street.breaker()),
        |(_, breaker)| breaker["state"] == "closed",
    );
    street.everybody_gets(201, 3);
    street.settles();
}

#[test]
fn a_gateway_that_hangs_opens_the_breaker_and_recovers() {
    assert_breaker_opens_and_recovers(Mode::Embedded, GatewayFault::Hangs);
}

#[test]
fn a_gateway_that_is_too_slow_opens_the_breaker_and_recovers() {
    let trouble = GatewayFault::Slow(Duration::from_secs(3));
    assert_breaker_opens_and_recovers(Mode::Embedded, trouble);
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
    let street = Street::open(Mode::Embedded);
    street.gateway.set_fault(GatewayFault::ServerError);
    street.customers(8);
    street.cuts_off("open");
    street.gateway.clear_fault();
    eventually(
        || (street.customers(1), street.announcements()),
        |(_, told)| told.last().is_some_and(|it| it["type"] == "BreakerClosed"),
    );

    let told = street.announcements();
    let mut before = json!("closed");
    for (number, event) in (1..).zip(&told) {
        let data = &event["data"];
        assert_eq!(data["link"], street.link(), "{event:#}");
        assert_eq!(data["sequence"], number, "each change is told once");
        assert_eq!(data["from"], before, "{event:#}");
        before = data["to"].clone();
    }
    let reason = "8 calls in a row failed";
    assert_eq!(told[0]["type"], "BreakerOpened");
    assert_eq!(told[0]["data"]["reason"], reason);
    let log = street.platform.output();
    let lines = log.lines().filter(|line| line.contains("breaker "));
    let about_it: Vec<_> = lines.filter(|line| line.contains(&street.link())).collect();
    assert_eq!(about_it.len(), told.len(), "{about_it:#?}");
    assert!(about_it[0].contains(reason), "{about_it:#?}");
}

#[test]
fn declined_payments_open_no_breaker() {
    let street = Street::open(Mode::Embedded);
    let poor = street.platform.register_car("too dear");
    street.gateway.decide(&poor, Decision::Decline);
    // More than twice as many as failures would do.
    for _ in 0..25 {
        let answer = street.platform.try_reserve(&poor);
        answer.problem(402, "payment-declined");
    }
    let breaker = street.breaker();
    assert_eq!(breaker["state"], "closed", "{breaker:#}");
    assert_eq!(breaker["totals"]["failed"], 0, "{breaker:#}");
    assert_eq!(street.gateway.approvals_of(&poor).len(), 25);
    street.settles();
}

#[test]
fn an_operator_forces_a_breaker_open_and_closed_and_resets_it() {
    let street = Street::open(Mode::Embedded);
    let link = street.link();
    street.everybody_gets(201, 1);

    let breaker = street.platform.control_breaker("force-open", &link);
    assert_eq!(breaker["state"], "forced-open", "{breaker:#}");
    street.cuts_off("forced-open").iter().for_each(is_quick);

    // Forced closed it lets everybody through, whatever becomes of them.
    street.platform.control_breaker("force-closed", &link);
    street.gateway.set_fault(GatewayFault::ServerError);
    let before = street.gateway.request_count();
    street.customers(12).iter().for_each(is_honest);
    assert!(street.gateway.request_count() >= before + 12);
    assert_eq!(street.breaker()["state"], "disabled");
    let breaker = street.platform.control_breaker("disable", &link);
    assert_eq!(breaker["state"], "disabled", "the same by another name");

    street.gateway.clear_fault();
    let breaker = street.platform.control_breaker("reset", &link);
    assert_eq!(breaker["state"], "closed", "{breaker:#}");
    street.everybody_gets(201, 3);
    street.settles();
}

#[test]
fn a_payment_that_was_not_sent_is_not_refunded() {
    let street = Street::open(Mode::Embedded);
    street.everybody_gets(201, 1);
    street
        .platform
        .control_breaker("force-open", &street.link());
    let refused = street.cuts_off("forced-open");
    for served in &refused {
        let said = served.answer.header("retry-after");
        assert_eq!(said, "30", "the breaker's word, and no guess of payment");
    }

    street.platform.control_breaker("reset", &street.link());
    let car = street.platform.register_car("undone");
    street.gateway.decide(&car, Decision::Fail);
    let failed = reservation_of(&street.platform.try_reserve(&car).is(503));
    // By the time this is undone, whatever was noted before it has been, too.
    eventually(
        || street.gateway.refunds_of(&failed),
        |refunds| !refunds.is_empty(),
    );
    street.settles();
    for served in &refused {
        let refunds = street.gateway.refunds_of(&reservation_of(&served.answer));
        assert!(refunds.is_empty(), "{refunds:#?}");
    }
}

fn reservation_of(answer: &Response) -> Reservation {
    Reservation::with_id(answer.json()["rsvId"].as_u64().expect("a number"))
}

#[test]
fn a_command_for_an_unknown_breaker_is_refused() {
    let street = Street::open(Mode::Embedded);
    let order = |link: &str| {
        let asked = street
            .platform
            .admin_request(Method::POST, "/breakers/force-open");
        asked.json(&json!({ "link": link })).send()
    };
    order("payment -> nowhere").problem(404, "not-found");
    order("clock -> payment").problem(409, "conflict");
}
