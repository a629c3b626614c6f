//! What was answered stays, whatever becomes of the process. Checkpoint persistent volume.

use harness::{Mode, Platform, Setup, cancellation_text, confirmation_text, eventually};
use serde_json::{Value, json};

harness::journeys!(
    all_state_survives_an_orderly_restart,
    all_state_survives_a_kill,
    a_stop_lets_running_requests_finish,
);

fn all_state_survives_an_orderly_restart(mode: Mode) {
    survives(mode, |platform| {
        let status = platform.terminate();
        assert!(status.success(), "SIGTERM is an orderly end: {status}");
    });
}

fn all_state_survives_a_kill(mode: Mode) {
    survives(mode, Platform::kill);
}

fn survives(mode: Mode, stop: impl Fn(&Platform)) {
    let platform = Setup::new(mode).start();
    let (kept, freed) = (
        platform.register_car("kept"),
        platform.register_car("freed"),
    );
    let reservation = platform.reserve_and_confirm(&kept);
    let given_up = platform.reserve_and_confirm(&freed);
    platform.cancel_and_wait(&given_up, &freed);
    platform.wait_for_messages(&reservation, &[confirmation_text(&kept)]);
    platform.wait_for_messages(
        &given_up,
        &[confirmation_text(&freed), cancellation_text(&freed)],
    );
    platform.wait_for_view(
        &kept,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    platform.wait_for_view(
        &freed,
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    let before = everything(&platform);

    stop(&platform);
    let platform = platform.restart();
    eventually(|| everything(&platform), |after| *after == before);

    // Life goes on: ids continue, the car is still taken, and it can still be given up.
    let third = platform.register_car("afterwards");
    assert_eq!(third.id, freed.id + 1);
    platform
        .try_reserve(&kept)
        .problem(409, "car-not-available");
    platform.cancel_and_wait(&reservation, &kept);
    platform.wait_for_messages(
        &reservation,
        &[confirmation_text(&kept), cancellation_text(&kept)],
    );
    platform.reserve_and_confirm(&third);
}

/// Every resource of the platform, without the links, which name a port that changes.
fn everything(platform: &Platform) -> Vec<Value> {
    [
        "/cars",
        "/reservations",
        "/payments",
        "/messages",
        "/carviews",
    ]
    .iter()
    .flat_map(|list| platform.list(list, |_| true))
    .map(|mut item| {
        if let Some(fields) = item.as_object_mut() {
            fields.remove("_links");
        }
        item
    })
    .collect()
}

fn a_stop_lets_running_requests_finish(mode: Mode) {
    let platform = Setup::new(mode).start();
    let car = platform.register_car("last minute");
    let responses: Vec<_> = std::thread::scope(|scope| {
        let reservations: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    platform
                        .post("/reservations")
                        .json(&json!({"carId": car.id}))
                        .try_send()
                })
            })
            .collect();
        // The first answer proves that the others are on their way.
        eventually(
            || platform.get("/reservations").send().json(),
            |list| list["page"]["totalElements"] != 0,
        );
        assert!(platform.terminate().success());
        reservations
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    // Whoever was accepted got a whole answer; whoever came too late was not accepted.
    for response in responses.iter().flatten() {
        assert!(matches!(response.status, 201 | 409 | 503), "{response}");
    }
    let won = responses
        .iter()
        .flatten()
        .filter(|response| response.status == 201)
        .count();
    assert!(won <= 1, "{won} won");

    let platform = platform.restart();
    if won == 1 {
        platform.wait_for_car_status(&car, "reserved");
    }
    let settled = eventually(
        || platform.list("/reservations", |_| true),
        |all| {
            all.iter()
                .all(|seen| seen["status"] == "reserved" || seen["status"] == "rejected")
        },
    );
    let reserved = settled
        .iter()
        .filter(|seen| seen["status"] == "reserved")
        .count();
    assert!(reserved <= 1 && reserved >= won, "{settled:#?}");
}

#[test]
fn a_new_host_on_the_same_redis_shows_the_same_fleet() {
    let first = Setup::new(Mode::Redis).start();
    let (car, other) = (
        first.register_car("everywhere"),
        first.register_car("also there"),
    );
    let reservation = first.reserve_and_confirm(&car);
    let row = first.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );

    // It has no view of its own yet: it reads the log from the beginning.
    let second = first.start_second_host();
    assert_eq!(second.get_json(&reservation.path)["status"], "reserved");
    let same = second.wait_for_view(
        &car,
        &json!({"carStatus": "reserved", "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    assert_eq!(
        (&same["rsvId"], &same["payId"]),
        (&row["rsvId"], &row["payId"])
    );

    // Both serve, and both learn what the other did.
    second.cancel_and_wait(&reservation, &car);
    first.wait_for_view(
        &car,
        &json!({"carStatus": "available", "rsvStatus": "cancelled", "payStatus": "cancelled"}),
    );
    let again = first.reserve_and_confirm(&other);
    second.wait_for_view(
        &other,
        &json!({"rsvId": again.id, "rsvStatus": "reserved", "payStatus": "paid"}),
    );
    second.wait_for_messages(&again, &[confirmation_text(&other)]);
}
