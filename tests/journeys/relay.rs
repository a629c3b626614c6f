//! Does `socar relay` deliver the events of a Redis over HTTP, to contexts on another host? Here that host is a
//! platform that does not use this Redis.

use std::time::Duration;

use events::{CarId, CloudEvent, Event, ReservationId, ReservationState, SPEC_VERSION, Timestamp};
use harness::{
    Car, Mode, Platform, Process, RedisServer, Reservation, Setup, cancellation_text,
    confirmation_text, platform_authorization, socar,
};

const SECRET: &str = "relay secret";

#[test]
fn a_relayed_event_has_its_effect_once_however_often_it_is_appended() {
    let platform = Setup::new(Mode::Embedded)
        .variable("relay_secret", SECRET)
        .start();
    let redis = RedisServer::start();
    let _relay = relay(&redis, &platform, SECRET);
    let (car, reservation) = (external_car(7), Reservation::with_id(70));
    append(&redis, &confirmation(&car, &reservation));
    append(&redis, &confirmation(&car, &reservation));
    // Events of one subject keep their order: the message of this event implies that the earlier events were
    // handled.
    append(&redis, &cancellation(&car, &reservation));
    let texts = [confirmation_text(&car), cancellation_text(&car)];
    platform.wait_for_messages(&reservation, &texts);
    assert_eq!(platform.messages_of(&reservation), texts);
}

#[test]
fn an_event_from_both_trigger_and_relay_has_its_effect_once() {
    let platform = Setup::new(Mode::Redis)
        .variable("relay_secret", SECRET)
        .start();
    let car = platform.register_car("two deliveries");
    let reservation = platform.reserve_and_confirm(&car);
    platform.wait_for_messages(&reservation, &[confirmation_text(&car)]);
    // The relay delivers the same event again.
    let event = confirmation(&car, &reservation).to_json();
    for _ in 0..2 {
        deliver(&platform, SECRET, &event).is(204);
    }
    platform.drain_events();
    assert_eq!(
        platform.messages_of(&reservation),
        [confirmation_text(&car)]
    );
}

#[test]
fn a_delivery_without_the_secret_is_refused() {
    let event = confirmation(&external_car(1), &Reservation::with_id(1)).to_json();
    let guarded = Setup::new(Mode::Embedded)
        .variable("relay_secret", SECRET)
        .start();
    deliver(&guarded, "a guess", &event).is(401);
    let deliver_with = |authorization: &str| {
        let request = guarded.post("/messages/events");
        let request = request.header("authorization", authorization);
        let request = request.body("application/cloudevents+json", event.clone());
        request.send().status
    };
    // The secret itself, and a token for another context.
    assert_eq!(deliver_with(&format!("Bearer {SECRET}")), 401);
    assert_eq!(deliver_with(&platform_authorization(SECRET, "car")), 401);
    assert_eq!(guarded.messages_of(&Reservation::with_id(1)), [""; 0]);
    let closed = Platform::shared(Mode::Embedded);
    deliver(&closed, SECRET, &event).is(404);
}

fn relay(redis: &RedisServer, platform: &Platform, secret: &str) -> Process {
    let mut command = socar();
    command
        .args(["relay", "-f", "spin.toml", "--secret", secret])
        .args(["--redis-url", &redis.url(), "--to", platform.url()]);
    let process = Process::start("relay", command, platform.state_dir());
    let started = process.wait_for(Duration::from_secs(60), |line| {
        line.starts_with("Relaying").then_some(())
    });
    started.unwrap_or_else(|reason| panic!("{reason}"));
    process
}

fn deliver(platform: &Platform, secret: &str, event: &str) -> harness::Response {
    platform
        .post("/messages/events")
        .header("authorization", &platform_authorization(secret, "message"))
        .body("application/cloudevents+json", event.to_owned())
        .send()
}

/// A car that another platform has registered.
fn external_car(id: u64) -> Car {
    Car {
        id,
        path: format!("/cars/{id}"),
    }
}

fn append(redis: &RedisServer, event: &CloudEvent) {
    let client = redis::Client::open(redis.url()).expect("a URL");
    let mut connection = client.get_connection().expect("a Redis");
    let mut append = redis::cmd("XADD");
    append.arg("socar.reservation").arg("*").arg("event");
    append.arg(event.to_json());
    append.query::<String>(&mut connection).expect("an id");
}

fn confirmation(car: &Car, reservation: &Reservation) -> CloudEvent {
    let state = state(car, reservation, "reserved");
    event(reservation, 2, Event::ReservationConfirmed(state))
}

fn cancellation(car: &Car, reservation: &Reservation) -> CloudEvent {
    let state = state(car, reservation, "cancelled");
    event(reservation, 4, Event::ReservationCancelled(state))
}

fn state(car: &Car, reservation: &Reservation, status: &str) -> ReservationState {
    ReservationState {
        rsv_id: ReservationId(reservation.id),
        car_id: CarId(car.id),
        pay_id: None,
        status: status.into(),
        reason: None,
        customer_id: None,
    }
}

fn event(reservation: &Reservation, sequence: u64, event: Event) -> CloudEvent {
    let subject = format!("reservation/{}", reservation.id);
    CloudEvent {
        specversion: SPEC_VERSION.into(),
        id: format!("{subject}/{sequence}"),
        source: "socar/reservation".into(),
        subject,
        time: Timestamp::from_millis(0),
        datacontenttype: "application/json".into(),
        sequence,
        correlationid: "relayed".into(),
        causationid: "relayed".into(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        actor: None,
        event,
    }
}
