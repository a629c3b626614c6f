//! Message, view and the registration of cars hang, trap, compute or hoard; reservations of the cars there are go on, and
//! what they cause arrives when the trouble is is_done. Promise 6.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{
    Car, Mode, Platform, Protocol, Reservation, Response, Setup, confirmation_text, eventually,
};
use http::Method;
use serde_json::{Value, json};

/// Below the deadline in `spin.toml`: who is served within it has not elapsed for a call that hangs.
const MAX_RESPONSE_TIME: Duration = Duration::from_millis(4500);

/// More than a link, or a component, has places for.
const LOAD_CLIENTS: usize = 80;

/// Waves of customers who reserve at the same instant, and customers in each.
const BATCHES: usize = 4;
const BATCH_SIZE: usize = 5;

/// So that the batch come over a longer time than any call may hang: all that hang give up in one moment, and whoever
/// comes just then finds a place anywhere.
const BATCH_INTERVAL: Duration = Duration::from_millis(1300);

/// Whose trouble it is, and what people ask of him meanwhile.
struct FailingComponent {
    component: &'static str,
    method: Method,
    path: &'static str,
}

fn failing_components() -> [FailingComponent; 3] {
    let failing = |component, method, path| FailingComponent {
        component,
        method,
        path,
    };
    [
        failing("message", Method::GET, "/messages"),
        failing("viewpage", Method::GET, "/carviews"),
        failing("car", Method::POST, "/cars"),
    ]
}

impl FailingComponent {
    /// Calls from outside are in trouble, and so are events; but not the holds of the same car component.
    fn inject(&self, platform: &Platform, fault: &Value) {
        let callers: &[&str] = match self.component {
            "car" => &["outside"],
            _ => &["outside", "events"],
        };
        for from in callers {
            let mut fault = fault.clone();
            fault["from"] = json!(from);
            fault["to"] = json!(self.component);
            fault["seconds"] = json!(600);
            platform.admin().inject_fault(&fault);
        }
    }

    fn call(&self, platform: &Platform) -> Response {
        let client = platform.client(Protocol::Http1);
        let asked = client.request(self.method.clone(), self.path);
        match self.method {
            Method::POST => asked.json(&json!({"carName": "pressing"})).send(),
            _ => asked.send(),
        }
    }

    /// A crowd asks on and on until the scenario has been told.
    fn under_load<T>(&self, platform: &Platform, scenario: impl FnOnce() -> T) -> T {
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..LOAD_CLIENTS {
                scope.spawn(|| {
                    while !is_done.load(Ordering::Relaxed) {
                        self.call(platform);
                        // Even the impatient take a breath; without it, it is their own load that is measured.
                        thread::sleep(Duration::from_millis(300));
                    }
                });
            }
            let _stop = StopOnDrop(&is_done);
            scenario()
        })
    }
}

/// Ends a siege, also when the scenario ends badly.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waves of customers, who all get their cars without delay.
fn reserve_in_batches(platform: &Platform, cars: &[Car]) -> Vec<Reservation> {
    let batches = cars.chunks(BATCH_SIZE).flat_map(|batch| {
        thread::sleep(BATCH_INTERVAL);
        platform.concurrently(batch.len(), |index| {
            let started = Instant::now();
            let reservation = platform.reserve(&batch[index]);
            let elapsed = started.elapsed();
            assert!(
                elapsed < MAX_RESPONSE_TIME,
                "{elapsed:?} for {reservation:?}"
            );
            reservation
        })
    });
    batches.collect()
}

fn assert_reservations_succeed(fault: &Value) {
    let platform = Setup::new(Mode::Embedded)
        .argument("--chaos")
        .manifest(|text| {
            let table = "[application.tool.socar]\n";
            assert!(text.contains(table), "spin.toml has changed: {text}");
            // However long the trouble lasts, what was caused meanwhile is not given up.
            text.replace(table, &format!("{table}delivery_attempts = 1000\n"))
        })
        .start();
    for failing in failing_components() {
        let register = |_| platform.register_car(failing.component);
        let cars: Vec<_> = (0..BATCHES * BATCH_SIZE).map(register).collect();
        failing.inject(&platform, fault);
        let reservations = failing.under_load(&platform, || {
            // The trouble is real before anybody reserves.
            eventually(
                || failing.call(&platform),
                |response| response.status >= 500,
            );
            reserve_in_batches(&platform, &cars)
        });
        platform.admin().clear_faults();
        eventually(|| failing.call(&platform), |response| response.status < 300);
        for (car, reservation) in cars.iter().zip(&reservations) {
            platform.wait_for_status(reservation, "reserved");
            platform.wait_for_messages(reservation, &[confirmation_text(car)]);
            platform.wait_for_view(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
        }
    }
}

#[test]
fn reservations_succeed_while_other_components_hang() {
    assert_reservations_succeed(&json!({"fault": "latency", "latency_ms": 600_000}));
}

#[test]
fn reservations_succeed_while_other_components_trap() {
    assert_reservations_succeed(&json!({"fault": "trap"}));
}

#[test]
fn reservations_succeed_while_other_components_compute_forever() {
    assert_reservations_succeed(&json!({"fault": "spin"}));
}

#[test]
fn reservations_succeed_while_other_components_hoard_memory() {
    assert_reservations_succeed(&json!({"fault": "hoard"}));
}

/// Slow answers are good answers: no breaker helps against them, only places of one's own.
#[test]
fn slow_registrations_do_not_delay_reservations() {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let register = |_| platform.register_car("there already");
    let cars: Vec<_> = (0..BATCHES * BATCH_SIZE).map(register).collect();
    let [_, _, registration] = failing_components();
    registration.inject(&platform, &json!({"fault": "latency", "latency_ms": 4000}));
    registration.under_load(&platform, || {
        let is_slow = |response: &Response| response.status == 503;
        // All places are taken, and the platform has noticed that fewer would do.
        eventually(|| registration.call(&platform), is_slow);
        reserve_in_batches(&platform, &cars)
    });
}
