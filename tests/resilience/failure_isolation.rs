//! Do reservations succeed while other components fail? Messages, the view and the registration of cars hang, trap,
//! compute or hoard memory; the events of the reservations arrive when the fault is over.

use std::thread;
use std::time::{Duration, Instant};

use harness::{
    Car, Mode, Platform, Protocol, Reservation, Response, Setup, Stop, confirmation_text,
    eventually, in_background,
};
use http::Method;
use serde_json::{Value, json};

/// Below the deadline in `spin.toml`: a call with a response in this time has not waited for a call that hangs.
const MAX_RESPONSE_TIME: Duration = Duration::from_millis(4500);

/// More clients than a link or a component has permits for.
const LOAD_CLIENTS: usize = 80;

/// Batches of concurrent reservations, and their size.
const BATCHES: usize = 4;
const BATCH_SIZE: usize = 5;

/// The batches extend over a longer time than a hanging call: all hanging calls time out at about the same moment,
/// and a reservation at that moment would find free permits in any case.
const BATCH_INTERVAL: Duration = Duration::from_millis(1300);

/// A component with a fault, and the request that clients keep sending to it.
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
    /// Injects the fault into calls from outside and into events, but not into the holds of the car component.
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
        let request = client.request(self.method.clone(), self.path);
        match self.method {
            Method::POST => request.json(&json!({"carName": "load"})).send(),
            _ => request.send(),
        }
    }

    /// Clients call the failing component until the scenario ends.
    fn under_load<T>(&self, platform: &Platform, scenario: impl FnOnce() -> T) -> T {
        let call_until_stopped = |_, stop: &Stop| {
            while !stop.is_set() {
                self.call(platform);
                // Without a pause, the load of the clients themselves would be measured.
                thread::sleep(Duration::from_millis(300));
            }
        };
        in_background(LOAD_CLIENTS, call_until_stopped, scenario).1
    }
}

/// Concurrent reservations in batches; each must succeed in time.
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
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    for failing in failing_components() {
        let register = |_| platform.register_car(failing.component);
        let cars: Vec<_> = (0..BATCHES * BATCH_SIZE).map(register).collect();
        failing.inject(&platform, fault);
        let reservations = failing.under_load(&platform, || {
            // The reservations begin when the fault has an effect.
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

/// Slow responses are good responses, so no breaker opens; only separate permits help.
#[test]
fn slow_registrations_do_not_delay_reservations() {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let register = |_| platform.register_car("existing");
    let cars: Vec<_> = (0..BATCHES * BATCH_SIZE).map(register).collect();
    let [_, _, registration] = failing_components();
    registration.inject(&platform, &json!({"fault": "latency", "latency_ms": 4000}));
    registration.under_load(&platform, || {
        let is_slow = |response: &Response| response.status == 503;
        // All permits are in use, and the adaptive limit has decreased.
        eventually(|| registration.call(&platform), is_slow);
        reserve_in_batches(&platform, &cars)
    });
}
