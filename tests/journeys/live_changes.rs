//! Does a client that listens get every change once, in order, and no earlier than the view shows it? Checkpoint CQRS.

use std::time::{Duration, Instant};

use harness::{
    EventStream, Mode, Platform, Protocol, Setup, StreamedEvent, event_streams, eventually,
};
use http::Method;
use serde_json::{Value, json};

const PATH: &str = "/carviews/stream";

harness::journeys!(
    the_stream_has_every_event_of_the_log_once_and_in_its_order,
    a_client_that_reads_again_after_a_change_sees_it,
    a_client_that_comes_back_gets_what_it_has_missed,
    a_restarted_host_continues_the_stream,
    a_position_whose_events_are_removed_is_gone,
    no_more_clients_listen_than_may_and_the_others_are_served,
    a_stop_ends_the_streams_with_a_time_to_come_again,
    the_path_answers_every_method_and_every_page,
    a_stream_is_shared_by_both_versions_of_http,
    a_customer_gets_what_is_theirs_and_what_is_public,
);

fn listen(platform: &Platform) -> EventStream {
    let stream = platform.get(PATH).listen();
    let stream = stream.unwrap_or_else(|refusal| panic!("no stream: {refusal}"));
    stream.opened()
}

fn listen_after(platform: &Platform, position: &str) -> EventStream {
    let stream = platform
        .get(PATH)
        .header("last-event-id", position)
        .listen();
    stream.unwrap_or_else(|refusal| panic!("no stream: {refusal}"))
}

fn is_about(event: &StreamedEvent, event_type: &str, car: u64) -> bool {
    event.event_type == event_type && event.data["data"]["carId"] == car
}

/// The platform with a further policy for the changes.
fn start_with(mode: Mode, policy: &str) -> Platform {
    let written = format!("changes = \"{PATH}\"\n");
    let setup = Setup::new(mode).manifest(|manifest| {
        assert!(manifest.contains(&written), "spin.toml has no {written}");
        let changes = format!("changes = {{ path = \"{PATH}\", {policy} }}\n");
        manifest.replace(&written, &changes)
    });
    setup.start()
}

fn the_stream_has_every_event_of_the_log_once_and_in_its_order(mode: Mode) {
    let platform = Setup::new(mode).start();
    let mut streams = [listen(&platform), listen(&platform)];
    let cars: Vec<_> = (1..=4)
        .map(|number| platform.register_car(&format!("streamed {number}")))
        .collect();
    for car in &cars {
        let reservation = platform.reserve_and_confirm(car);
        platform.cancel_and_wait(&reservation, car);
        // The car is available before that is announced.
        platform.wait_for_event("CarCancelled", &format!("car/{}", car.id));
    }
    platform.delete(&cars[0].path).send().is(204);
    platform.wait_for_event("CarDeleted", &format!("car/{}", cars[0].id));
    let logs: Vec<Vec<Value>> = event_streams(Some("viewpage"))
        .iter()
        .map(|stream| platform.events(stream))
        .collect();
    let count: usize = logs.iter().map(Vec::len).sum();
    assert!(count > 4 * 8, "{count} events");
    for stream in &mut streams {
        let streamed: Vec<_> = (0..count)
            .map(|_| stream.next_event().expect("an event"))
            .collect();
        for event in &streamed {
            assert_eq!(event.data["type"], event.event_type, "{event:#?}");
        }
        for log in &logs {
            let of_log = streamed.iter().map(|event| &event.data);
            let of_log: Vec<_> = of_log.filter(|event| log.contains(event)).collect();
            assert_eq!(of_log, log.iter().collect::<Vec<_>>());
        }
    }
}

fn a_client_that_reads_again_after_a_change_sees_it(mode: Mode) {
    let platform = Platform::shared(mode);
    let mut stream = listen(&platform);
    for number in 1..=10 {
        let car = platform.register_car(&format!("refetched {number}"));
        let since = Instant::now();
        stream.until(|event| is_about(event, "CarRegistered", car.id));
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "{:?}",
            since.elapsed()
        );
        let row = platform.get_json(&format!("/carviews/{}", car.id));
        assert_eq!(row["carName"], format!("refetched {number}"));
    }
}

fn a_client_that_comes_back_gets_what_it_has_missed(mode: Mode) {
    let platform = Platform::shared(mode);
    let mut stream = listen(&platform);
    let before = stream.last_id.clone();
    let first = platform.register_car("before the interruption");
    stream.until(|event| is_about(event, "CarRegistered", first.id));
    let interrupted = stream.last_id.clone();
    drop(stream);
    let reservation = platform.reserve_and_confirm(&first);
    // Each column shows that another event of the saga has been acknowledged.
    platform.wait_for_view(
        &first,
        &json!({"rsvId": reservation.id, "carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    let last = platform.register_car("after the interruption");
    let types = |events: Vec<StreamedEvent>| -> Vec<String> {
        let of_test = events.into_iter().filter(|event| {
            let car = &event.data["data"]["carId"];
            *car == first.id || *car == last.id
        });
        of_test.map(|event| event.event_type).collect()
    };
    let is_last = |event: &StreamedEvent| is_about(event, "CarRegistered", last.id);
    let missed = types(listen_after(&platform, &interrupted).until(is_last));
    for expected in [
        "ReservationCreated",
        "PaymentApproved",
        "ReservationConfirmed",
        "CarReserved",
    ] {
        let times = missed.iter().filter(|it| *it == expected).count();
        assert_eq!(times, 1, "{expected} in {missed:?}");
    }
    assert_eq!(
        missed.iter().filter(|it| *it == "CarRegistered").count(),
        1,
        "{missed:?}"
    );
    let all = types(listen_after(&platform, &before).until(is_last));
    assert_eq!(all.first().map(String::as_str), Some("CarRegistered"));
    assert_eq!(all.len(), missed.len() + 1, "{all:?}");
}

fn a_restarted_host_continues_the_stream(mode: Mode) {
    let mut platform = Setup::new(mode).start();
    let stops: [fn(&Platform); 2] = [Platform::kill, |platform| {
        assert!(platform.terminate().success());
    }];
    for stop in stops {
        let mut stream = listen(&platform);
        let known = platform.register_car("before the restart");
        stream.until(|event| is_about(event, "CarRegistered", known.id));
        let position = stream.last_id.clone();
        let missed = platform.register_car("missed");
        stream.until(|event| is_about(event, "CarRegistered", missed.id));
        stop(&platform);
        assert_eq!(stream.next_event(), None, "the stream ends with the host");
        platform = platform.restart();
        let mut resumed = listen_after(&platform, &position);
        let later = platform.register_car("later");
        let next: Vec<_> = (0..2).filter_map(|_| resumed.next_event()).collect();
        let expected = [missed.id, later.id];
        for (event, car) in next.iter().zip(expected) {
            assert!(is_about(event, "CarRegistered", car), "{next:#?}");
        }
        assert_eq!(next.len(), 2);
    }
}

fn a_position_whose_events_are_removed_is_gone(mode: Mode) {
    let setup = Setup::new(mode).manifest(|manifest| {
        let head = "[application.tool.socar]\n";
        manifest.replacen(head, &format!("{head}retention = \"1s\"\n"), 1)
    });
    let platform = setup.start();
    let mut stream = listen(&platform);
    let mut positions = vec![stream.last_id.clone()];
    for name in ["first", "second"] {
        let car = platform.register_car(name);
        stream.until(|event| is_about(event, "CarRegistered", car.id));
        positions.push(stream.last_id.clone());
    }
    eventually(|| platform.events("socar.car"), Vec::is_empty);
    for position in &positions[..2] {
        let refusal = platform
            .get(PATH)
            .header("last-event-id", position)
            .listen();
        let refusal = refusal.expect_err("events after the position are gone");
        refusal.problem(410, "position-gone");
    }
    // Nothing was removed after the last position.
    let mut resumed = listen_after(&platform, &positions[2]);
    let car = platform.register_car("third");
    let next = resumed.next_event().expect("a change");
    assert!(is_about(&next, "CarRegistered", car.id), "{next:#?}");
    let foreign = platform.get(PATH).header("last-event-id", "1-0").listen();
    let foreign = foreign.expect_err("not a position of this log");
    foreign.problem(410, "position-gone");
}

fn no_more_clients_listen_than_may_and_the_others_are_served(mode: Mode) {
    let platform = start_with(mode, "listeners = 2");
    let first = listen(&platform);
    let mut second = listen(&platform);
    let refusal = platform.get(PATH).listen().expect_err("two may listen");
    refusal.problem(503, "too-many-listeners");
    refusal.assert_retry_later();
    assert_eq!(refusal.header("access-control-allow-origin"), "*");
    let car = platform.register_car("served");
    second.until(|event| is_about(event, "CarRegistered", car.id));
    let component = "{component=\"viewpage\"}";
    let metric = |name: &str| platform.admin().metric(&format!("{name}{component}"));
    assert_eq!(metric("socar_change_listeners"), Some(2.0));
    assert!(metric("socar_changes_sent_total") >= Some(1.0));
    assert_eq!(metric("socar_change_listeners_lagged_total"), Some(0.0));
    drop(first);
    let again = eventually(|| platform.get(PATH).listen().is_ok(), |free| *free);
    assert!(again);
}

fn a_stop_ends_the_streams_with_a_time_to_come_again(mode: Mode) {
    let platform = Setup::new(mode).start();
    let mut stream = listen(&platform);
    let retry = stream.retry.take();
    assert!(retry.is_some());
    let since = Instant::now();
    let status = platform.terminate();
    assert!(status.success(), "{status}");
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "{:?}",
        since.elapsed()
    );
    assert_eq!(stream.next_event(), None);
    let retry = stream.retry.expect("a time to come again");
    assert!((500..=3000).contains(&retry), "{retry}");
}

fn the_path_answers_every_method_and_every_page(mode: Mode) {
    let platform = Platform::shared(mode);
    let head = platform.request(Method::HEAD, PATH).send().is(200);
    assert_eq!(head.header("content-type"), "text/event-stream");
    assert_eq!(head.header("cache-control"), "no-store");
    assert_eq!(head.header("access-control-allow-origin"), "*");
    assert!(head.body.is_empty());
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let refusal = platform.request(method, PATH).send();
        refusal.problem(405, "method-not-allowed");
        assert_eq!(refusal.header("allow"), "GET, HEAD, OPTIONS");
    }
    let preflight = platform
        .request(Method::OPTIONS, PATH)
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "last-event-id")
        .send()
        .is(204);
    assert_eq!(preflight.header("access-control-allow-origin"), "*");
    assert!(
        preflight
            .header("access-control-allow-methods")
            .contains("GET")
    );
    assert!(
        preflight
            .header("access-control-allow-headers")
            .contains('*')
    );
    // The car of a number that is none, and the list, are the component's as before.
    platform
        .get("/carviews/streams")
        .send()
        .problem(404, "not-found");
    platform.get("/carviews").send().is(200);
}

fn a_stream_is_shared_by_both_versions_of_http(mode: Mode) {
    let platform = Platform::shared(mode);
    let mut streams = [Protocol::Http1, Protocol::Http2].map(|protocol| {
        let request = platform.client(protocol).request(Method::GET, PATH);
        let stream = request.listen();
        let stream = stream.unwrap_or_else(|refusal| panic!("{protocol:?}: {refusal}"));
        stream.opened()
    });
    let car = platform.register_car("two versions");
    let last: Vec<_> = streams
        .iter_mut()
        .map(|stream| {
            stream
                .until(|event| is_about(event, "CarRegistered", car.id))
                .pop()
        })
        .collect();
    assert_eq!(last[0], last[1]);
}

fn a_customer_gets_what_is_theirs_and_what_is_public(mode: Mode) {
    let setup = Setup::new(mode).argument("--identity").argument("local");
    let platform = setup.start();
    let refusal = platform.get(PATH).listen().expect_err("no token");
    refusal.problem(401, "token-required");
    let company = platform.signed_in("host", "company");
    let [alice, bob] = ["alice", "bob"].map(|name| platform.signed_in("customer", name));
    let mut stream = listen(&alice);
    let mut whole = listen(&company);
    let cars = ["first", "second"].map(|name| company.register_car(name));
    bob.reserve_and_confirm(&cars[1]);
    let own = alice.reserve_and_confirm(&cars[0]);
    alice.cancel_and_wait(&own, &cars[0]);
    let last = company.register_car("last");
    // Changes of different streams have no common order: all have come when the last one of each stream has.
    let all = || {
        let mut expected = vec![
            ("CarRegistered", last.id),
            ("ReservationCancelled", cars[0].id),
            ("PaymentCancelled", cars[0].id),
        ];
        move |event: &StreamedEvent| {
            expected.retain(|(event_type, car)| !is_about(event, event_type, *car));
            expected.is_empty()
        }
    };
    let events = stream.until(all());
    let whole = whole.until(all());
    for event in &events {
        assert!(!event.data.to_string().contains("bob"), "{event:#?}");
        match event.data["data"]["customerId"].as_str() {
            Some(customer) => {
                assert_eq!(customer, "alice");
                assert!(whole.contains(event), "{event:#?}");
            }
            None => {
                let subject = event.data["subject"].as_str().unwrap_or_default();
                assert!(subject.starts_with("car/"), "{event:#?}");
                for hidden in ["actor", "correlationid", "causationid", "traceparent"] {
                    assert_eq!(event.data[hidden], Value::Null, "{event:#?}");
                }
                assert_eq!(event.data["data"]["rsvId"], Value::Null, "{event:#?}");
            }
        }
    }
    for event_type in [
        "CarRegistered",
        "CarReserved",
        "CarCancelled",
        "ReservationCreated",
        "ReservationConfirmed",
        "PaymentApproved",
        "PaymentCancelled",
        "ReservationCancelled",
    ] {
        let sent = events.iter().any(|event| event.event_type == event_type);
        assert!(sent, "{event_type} is missing: {events:#?}");
    }
    // The events of Bob are there, and only the company gets them.
    let of_bob = whole
        .iter()
        .filter(|event| event.data["data"]["customerId"] == "bob");
    assert!(of_bob.count() >= 3, "{whole:#?}");
    let mut resumed = listen_after(&alice, &events[2].id);
    let rest = resumed.until(all());
    assert_eq!(sorted(&rest), sorted(&events[3..]));
}

/// Different streams of the log have no common order after a resumption.
fn sorted(events: &[StreamedEvent]) -> Vec<String> {
    let mut ids: Vec<String> = events
        .iter()
        .map(|event| event.data["id"].to_string())
        .collect();
    ids.sort();
    ids
}
