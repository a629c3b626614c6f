//! Does an overloaded component serve the calls that it admits, refuse the others at once, and prefer calls with a
//! higher priority?

use std::thread;
use std::time::{Duration, Instant};

use harness::{Car, Mode, Platform, Reservation, Response, Setup, eventually};
use http::Method;
use serde_json::json;

/// The limit of concurrent calls, and the length of the queue.
const CONCURRENCY: usize = 2;
const QUEUE: usize = 4;

/// Many more calls than that.
const EXCESS_CALLS: usize = 60;

/// The latency of each call: the permits stay in use while more calls arrive.
const LATENCY: Duration = Duration::from_secs(1);

/// A longer latency: the permits stay in use until all calls have arrived. It is below the 2.5 s for which a
/// reservation waits for a payment.
const LONG_LATENCY: Duration = Duration::from_secs(2);

/// A platform with one small component, which has this latency for these callers.
fn start_with_small_component(component: &str, callers: &str, latency: Duration) -> Platform {
    let platform = Setup::new(Mode::Embedded)
        .argument("--chaos")
        .manifest(|text| {
            let table = format!("[component.{component}.tool.socar]\n");
            // A sweep would need a permit, too.
            let shipped = format!("{table}sweep = \"5s\"\n");
            // Enough for all queued calls, one after the other.
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
    let register = |_| platform.register_car("contended");
    (0..count).map(register).collect()
}

fn assert_overloaded(response: &Response) {
    response.problem(503, "overloaded");
    response.assert_retry_later();
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
    eventually(look, |item| *item == (running, waiting));
}

#[test]
fn admitted_calls_succeed_and_the_rest_are_refused_quickly() {
    let platform = start_with_small_component("reservation", "outside", LATENCY);
    let cars = register_cars(&platform, CONCURRENCY + QUEUE / 2 + EXCESS_CALLS);
    // As many calls as there is room for, with their events: all of them succeed.
    let (few, many) = cars.split_at(CONCURRENCY + QUEUE / 2);
    let mut reserved = platform.concurrently(few.len(), |index| platform.reserve(&few[index]));
    wait_for_calls(&platform, "reservation", 0, 0);

    // Under overload a queued call may be displaced, but an admitted call keeps its permit.
    let responses = platform.concurrently(many.len(), |index| {
        let started = Instant::now();
        (platform.try_reserve(&many[index]), started.elapsed())
    });
    let (admitted, refused): (Vec<_>, Vec<_>) = responses
        .iter()
        .partition(|(response, _)| response.status == 201);
    assert!(admitted.len() >= CONCURRENCY, "{}", admitted.len());
    assert!(refused.len() >= many.len() / 2, "{}", refused.len());
    // The events of admitted reservations displace calls that have waited; all others are refused at once.
    let waited = refused.iter().filter(|(_, elapsed)| *elapsed >= LATENCY);
    let waited = waited.count();
    assert!(waited <= QUEUE, "{waited}");
    for (response, _) in refused {
        assert_overloaded(response);
    }
    let admitted = admitted.into_iter();
    reserved.extend(admitted.map(|(response, _)| Reservation::from_response(response)));

    platform.admin().clear_faults();
    wait_for_calls(&platform, "reservation", 0, 0);
    for reservation in &reserved {
        platform.wait_for_status(reservation, "reserved");
    }
    for car in cars.iter().skip(1).step_by(7) {
        // The events of the reservation before may fill so small a queue for a moment.
        eventually(
            || platform.try_reserve(car),
            |response| [201, 409].contains(&response.status),
        );
    }
}

/// Without a response to the preflight, a page could not read `Retry-After` of the refusal.
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

/// Two reads run and four wait; then four calls with a higher priority arrive.
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
