//! Message, view and the registration of cars hang, trap, compute or hoard; reservations of the cars there are go on, and
//! what they cause arrives when the trouble is over. Promise 6.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::{
    Car, Mode, Platform, Protocol, Reservation, Response, Setup, confirmation_text, eventually,
};
use http::Method;
use serde_json::{Value, json};

/// Below the deadline in `spin.toml`: who is served within it has not waited for a call that hangs.
const NO_DELAY: Duration = Duration::from_millis(4500);

/// More than a link, or a component, has places for.
const CROWD: usize = 80;

/// Waves of customers who reserve at the same instant, and customers in each.
const WAVES: usize = 4;
const WAVE: usize = 5;

/// So that the waves come over a longer time than any call may hang: all that hang give up in one moment, and whoever
/// comes just then finds a place anywhere.
const BETWEEN_WAVES: Duration = Duration::from_millis(1300);

/// Whose trouble it is, and what people ask of him meanwhile.
struct Victim {
    component: &'static str,
    method: Method,
    path: &'static str,
}

fn victims() -> [Victim; 3] {
    let victim = |component, method, path| Victim {
        component,
        method,
        path,
    };
    [
        victim("message", Method::GET, "/messages"),
        victim("viewpage", Method::GET, "/carviews"),
        victim("car", Method::POST, "/cars"),
    ]
}

impl Victim {
    /// Calls from outside are in trouble, and so are events; but not the holds of the same car component.
    fn suffers(&self, platform: &Platform, fault: &Value) {
        let callers: &[&str] = match self.component {
            "car" => &["outside"],
            _ => &["outside", "events"],
        };
        for from in callers {
            let mut experiment = fault.clone();
            experiment["from"] = json!(from);
            experiment["to"] = json!(self.component);
            experiment["seconds"] = json!(600);
            platform.inject_fault(&experiment);
        }
    }

    fn ask(&self, platform: &Platform) -> Response {
        let client = platform.client(Protocol::Http1);
        let asked = client.request(self.method.clone(), self.path);
        match self.method {
            Method::POST => asked.json(&json!({"carName": "pressing"})).send(),
            _ => asked.send(),
        }
    }

    /// A crowd asks on and on until the story has been told.
    fn besieged<T>(&self, platform: &Platform, story: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..CROWD {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        self.ask(platform);
                        // Even the impatient take a breath; without it, it is their own load that is measured.
                        thread::sleep(Duration::from_millis(300));
                    }
                });
            }
            let _told = Told(&over);
            story()
        })
    }
}

/// Ends a siege, also when the story ends badly.
struct Told<'a>(&'a AtomicBool);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waves of customers, who all get their cars without delay.
fn everybody_reserves(platform: &Platform, cars: &[Car]) -> Vec<Reservation> {
    let waves = cars.chunks(WAVE).flat_map(|wave| {
        thread::sleep(BETWEEN_WAVES);
        platform.concurrently(wave.len(), |index| {
            let begun = Instant::now();
            let reservation = platform.reserve(&wave[index]);
            let waited = begun.elapsed();
            assert!(waited < NO_DELAY, "{waited:?} for {reservation:?}");
            reservation
        })
    });
    waves.collect()
}

fn reservations_go_on(fault: &Value) {
    let platform = Setup::new(Mode::Embedded)
        .argument("--chaos")
        .manifest(|text| {
            let table = "[application.tool.socar]\n";
            assert!(text.contains(table), "spin.toml has changed: {text}");
            // However long the trouble lasts, what was caused meanwhile is not given up.
            text.replace(table, &format!("{table}delivery_attempts = 1000\n"))
        })
        .start();
    for victim in victims() {
        let register = |_| platform.register_car(victim.component);
        let cars: Vec<_> = (0..WAVES * WAVE).map(register).collect();
        victim.suffers(&platform, fault);
        let reservations = victim.besieged(&platform, || {
            // The trouble is real before anybody reserves.
            eventually(|| victim.ask(&platform), |answer| answer.status >= 500);
            everybody_reserves(&platform, &cars)
        });
        platform.clear_faults();
        eventually(|| victim.ask(&platform), |answer| answer.status < 300);
        for (car, reservation) in cars.iter().zip(&reservations) {
            platform.wait_for_status(reservation, "reserved");
            platform.wait_for_messages(reservation, &[confirmation_text(car)]);
            platform.wait_for_view(car, &json!({"rsvStatus": "reserved", "payStatus": "paid"}));
        }
    }
}

#[test]
fn reservations_succeed_while_other_components_hang() {
    reservations_go_on(&json!({"fault": "latency", "latency_ms": 600_000}));
}

#[test]
fn reservations_succeed_while_other_components_trap() {
    reservations_go_on(&json!({"fault": "trap"}));
}

#[test]
fn reservations_succeed_while_other_components_compute_forever() {
    reservations_go_on(&json!({"fault": "spin"}));
}

#[test]
fn reservations_succeed_while_other_components_hoard_memory() {
    reservations_go_on(&json!({"fault": "hoard"}));
}

/// Slow answers are good answers: no breaker helps against them, only places of one's own.
#[test]
fn slow_registrations_do_not_delay_reservations() {
    let platform = Setup::new(Mode::Embedded).argument("--chaos").start();
    let register = |_| platform.register_car("there already");
    let cars: Vec<_> = (0..WAVES * WAVE).map(register).collect();
    let [_, _, registration] = victims();
    registration.suffers(&platform, &json!({"fault": "latency", "latency_ms": 4000}));
    registration.besieged(&platform, || {
        let is_slow = |answer: &Response| answer.status == 503;
        // All places are taken, and the platform has noticed that fewer would do.
        eventually(|| registration.ask(&platform), is_slow);
        everybody_reserves(&platform, &cars)
    });
}
