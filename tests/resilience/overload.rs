//! More is asked than can be done: whoever is let in is served, everybody else is told at once when to come again, and who
//! pays or reserves goes before who only looks. Promise 7.

use std::thread;
use std::time::{Duration, Instant};

use harness::{Car, Mode, Platform, Reservation, Response, Setup, eventually};
use http::Method;
use serde_json::json;

/// Calls at the same time, and callers in line.
const CONCURRENCY: usize = 2;
const QUEUE: usize = 4;

/// Many more than that.
const EXCESS_CALLS: usize = 60;

/// How long each call takes, so that all places stay taken while more is asked.
const LATENCY: Duration = Duration::from_secs(1);

/// Longer, so that all places stay taken until everybody is there; below the 2.5 s that a reservation waits for a payment.
const LONG_LATENCY: Duration = Duration::from_secs(2);

/// A platform of which one component is small, and takes so long to answer these callers.
fn start_with_small_component(component: &str, callers: &str, latency: Duration) -> Platform {
    let platform = Setup::new(Mode::Embedded)
        .argument("--chaos")
        .manifest(|text| {
            let table = format!("[component.{component}.tool.socar]\n");
            // A sweep would take a place, too.
            let shipped = format!("{table}sweep = \"5s\"\n");
            // Time enough for all who wait, one place after the other.
            let size = format!(
                "{table}deadline = \"15s\"\nconcurrency = {CONCURRENCY}\nqueue = {QUEUE}\n"
            );
            assert!(text.contains(&shipped), "spin.toml has changed: {text}");
            text.replace(&shipped, &size)
        })
        .start();
    platform.admin().inject_fault(&json!({
        "from": callers, "to": component, "fault": "latency", "latency_ms": latency.as_millis() as u64, "seconds": 600,
    }));
    platform
}

fn register_cars(platform: &Platform, count: usize) -> Vec<Car> {
    let register = |_| platform.register_car("wanted by many");
    (0..count).map(register).collect()
}

fn assert_overloaded(response: &Response) {
    response.problem(503, "overloaded");
    let seconds: Result<u64, _> = response.header("retry-after").parse();
    assert!(
        seconds.is_ok_and(|seconds| (1..=60).contains(&seconds)),
        "{response}"
    );
}

/// A metric of one component; 0 if there is no such series.
fn metric(platform: &Platform, name: &str, component: &str) -> usize {
    let series = format!("{name}{{component=\"{component}\"}}");
    platform.admin().metric(&series).unwrap_or_default() as usize
}

fn wait_for_calls(platform: &Platform, component: &str, running: usize, waiting: usize) {
    let look = || {
        let number = |name| metric(platform, name, component);
        (number("socar_calls_running"), number("socar_calls_waiting"))
    };
    eventually(look, |seen| *seen == (running, waiting));
}

#[test]
fn admitted_calls_succeed_and_the_rest_are_refused_quickly() {
    let platform = start_with_small_component("reservation", "outside", LATENCY);
    let cars = register_cars(&platform, CONCURRENCY + QUEUE + EXCESS_CALLS);
    // As many as there is room for: all of them get what they came for.
    let (few, many) = cars.split_at(CONCURRENCY + QUEUE);
    let mut reserved = platform.concurrently(few.len(), |index| platform.reserve(&few[index]));
    wait_for_calls(&platform, "reservation", 0, 0);

    // Who waits while so many come may be sent away again, but who found a place keeps it.
    let responses = platform.concurrently(many.len(), |index| {
        let started = Instant::now();
        (platform.try_reserve(&many[index]), started.elapsed())
    });
    let (admitted, refused): (Vec<_>, Vec<_>) = responses
        .iter()
        .partition(|(response, _)| response.status == 201);
    assert!(admitted.len() >= CONCURRENCY, "{}", admitted.len());
    assert!(refused.len() >= many.len() / 2, "{}", refused.len());
    for (response, elapsed) in refused {
        assert_overloaded(response);
        assert!(*elapsed < LATENCY, "{elapsed:?} for {response}");
    }
    let admitted = admitted.into_iter();
    reserved.extend(admitted.map(|(response, _)| Reservation::from_response(response)));

    platform.admin().clear_faults();
    wait_for_calls(&platform, "reservation", 0, 0);
    for reservation in &reserved {
        platform.wait_for_status(reservation, "reserved");
    }
    for car in cars.iter().skip(1).step_by(7) {
        let response = platform.try_reserve(car);
        assert!([201, 409].contains(&response.status), "{response}");
    }
}

/// Without an answer to that a page would not get to see when to come again.
#[test]
fn a_preflight_is_answered_under_overload() {
    let platform = start_with_small_component("reservation", "outside", 2 * LONG_LATENCY);
    thread::scope(|scope| {
        for _ in 0..CONCURRENCY + QUEUE {
            scope.spawn(|| platform.get("/reservations").send());
        }
        wait_for_calls(&platform, "reservation", CONCURRENCY, QUEUE);
        let preflight = platform
            .request(Method::OPTIONS, "/reservations")
            .header("origin", "https://shop.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "x-request-id")
            .send()
            .is(204);
        for allowed in ["origin", "methods", "headers"] {
            let allowed = preflight.header(&format!("access-control-allow-{allowed}"));
            assert!(allowed.starts_with('*'), "{preflight}");
        }
        let refused = platform.get("/reservations").send();
        assert_overloaded(&refused);
        assert_eq!(refused.header("access-control-allow-origin"), "*");
    });
}

/// Four who matter more come to a place where two look and four wait to look.
fn assert_displaces_reads(component: &str, path: &str) {
    let platform = start_with_small_component(component, "outside", LONG_LATENCY);
    let cars = register_cars(&platform, QUEUE);
    let readers = thread::scope(|scope| {
        let look = || platform.get(path).send();
        let readers: Vec<_> = (0..CONCURRENCY + QUEUE)
            .map(|_| scope.spawn(look))
            .collect();
        wait_for_calls(&platform, component, CONCURRENCY, QUEUE);
        let reserved =
            platform.concurrently(cars.len(), |index| platform.try_reserve(&cars[index]));
        for response in reserved {
            response.is(201);
        }
        let readers = readers.into_iter();
        let responses = readers.map(|reader| reader.join().expect("a response"));
        responses.collect::<Vec<_>>()
    });
    let (served, refused): (Vec<_>, Vec<_>) =
        readers.iter().partition(|response| response.status == 200);
    assert_eq!(
        served.len(),
        CONCURRENCY,
        "only who was inside already stays"
    );
    refused.into_iter().for_each(assert_overloaded);
}

#[test]
fn a_reservation_displaces_a_read() {
    assert_displaces_reads("reservation", "/reservations");
}

#[test]
fn a_payment_displaces_a_read() {
    assert_displaces_reads("payment", "/payments");
}
