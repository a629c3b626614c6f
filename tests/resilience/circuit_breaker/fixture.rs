//! A platform with a payment gateway of its own, and what customers and operators observe of the breaker between them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use harness::{Mode, PaymentGateway, Platform, Response, Setup, eventually};
use serde_json::Value;

/// The deadline in `spin.toml`, and a tolerance for a busy machine.
const DEADLINE: Duration = Duration::from_secs(5 + 2);

/// The timeout of the payment context for the gateway. A faster response did not wait for the gateway.
const GATEWAY_LIMIT: Duration = Duration::from_millis(1500);

/// A platform with a payment gateway of its own.
pub struct Fixture {
    pub platform: Platform,
    pub gateway: PaymentGateway,
}

/// The response to one customer, and the time that it took.
#[derive(Debug)]
pub struct TimedResponse {
    pub response: Response,
    pub elapsed: Duration,
}

impl Fixture {
    pub fn start(mode: Mode) -> Self {
        let gateway = PaymentGateway::start();
        let platform = Setup::new(mode)
            .variable("payment_gateway_url", &gateway.url())
            .start();
        Self { platform, gateway }
    }

    pub fn link(&self) -> String {
        let url = self.gateway.url();
        format!("payment -> {}", url.trim_end_matches("/payments"))
    }

    pub fn breaker(&self) -> Value {
        self.platform.admin().breaker(&self.link())
    }

    /// Reservations of different cars by this many customers at the same instant.
    pub fn reserve_concurrently(&self, count: usize) -> Vec<TimedResponse> {
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

    pub fn expect_all(&self, status: u16, count: usize) {
        for timed in self.reserve_concurrently(count) {
            timed.response.is(status);
        }
    }

    /// Waits until the breaker is in this state, and makes reservations during which it stays there. The gateway
    /// must receive no request for them.
    pub fn wait_until_rejecting(&self, state: &str) -> Vec<TimedResponse> {
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
    pub fn assert_consistent(&self) {
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
    pub fn breaker_events(&self) -> Vec<Value> {
        let about = format!("link/{}", self.link());
        let all = self.platform.events("socar.platform").into_iter();
        all.filter(|event| event["subject"] == *about).collect()
    }
}

/// Expects a refusal with a reason and with a time to retry.
pub fn assert_unavailable(timed: &TimedResponse) {
    let TimedResponse { response, elapsed } = timed;
    response.problem(503, "unavailable");
    response.assert_retry_later();
    assert!(*elapsed < DEADLINE, "{elapsed:?} for {response}");
}

pub fn assert_fails_fast(timed: &TimedResponse) {
    assert_unavailable(timed);
    assert!(timed.elapsed < GATEWAY_LIMIT, "{:?}", timed.elapsed);
}
