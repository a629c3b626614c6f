//! Does every granted capability work, also for many concurrent calls, and is everything else denied?

use std::collections::BTreeSet;
use std::thread;

use harness::{RedisServer, eventually};

use crate::saboteur::{Saboteur, call_deadline};

/// Runs a test on the embedded backend and on a Redis, with a deadline that suits a slow machine.
fn on_both_backends(test: impl Fn(&Saboteur)) {
    let policy = call_deadline("60s");
    test(&Saboteur::start_with(&policy, &[]));
    let redis = RedisServer::start();
    let arguments = ["--redis-url", &redis.url()];
    test(&Saboteur::start_with(&policy, &arguments));
}

fn simultaneously(
    count: usize,
    path: impl Fn(usize) -> String + Sync,
    saboteur: &Saboteur,
) -> Vec<String> {
    let path = &path;
    thread::scope(|scope| {
        let calls: Vec<_> = (0..count)
            .map(|index| scope.spawn(move || saboteur.call(&path(index)).is(200).text()))
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().expect("a response"))
            .collect()
    })
}

#[test]
fn compare_and_swap_loses_no_increment_under_contention() {
    on_both_backends(|saboteur| {
        simultaneously(16, |_| "/cas/add?key=sum&times=25".to_owned(), saboteur);
        assert_eq!(saboteur.call("/wasi/get?key=sum").text(), "400");
    });
}

#[test]
fn exactly_one_of_many_concurrent_creators_wins() {
    on_both_backends(|saboteur| {
        for round in 0..5 {
            let outcomes = simultaneously(
                16,
                |index| format!("/cas/create?key=new{round}&value={index}"),
                saboteur,
            );
            assert_eq!(
                outcomes.iter().filter(|outcome| *outcome == "won").count(),
                1,
                "{outcomes:?}"
            );
        }
    });
}

#[test]
fn a_failed_swap_returns_the_newest_value() {
    on_both_backends(|saboteur| {
        assert_eq!(
            saboteur.call("/cas/once?key=k&value=a").text(),
            "absent -> swapped"
        );
        let response = saboteur.call("/cas/once?key=k&value=b&interfere=x").text();
        assert_eq!(response, "a -> failed, now x");
        assert_eq!(saboteur.call("/kv/get?key=k").text(), "x");
    });
}

#[test]
fn increments_add_up_and_refuse_a_value_that_is_no_number() {
    on_both_backends(|saboteur| {
        let sums = simultaneously(20, |_| "/wasi/increment?key=n".to_owned(), saboteur);
        assert_eq!(sums.iter().collect::<BTreeSet<_>>().len(), 20, "{sums:?}");
        saboteur.call("/kv/set?key=text&value=abc").is(200);
        saboteur.call("/wasi/increment?key=text").is(500);
        saboteur.call("/kv/get?key=text").is(200);
    });
}

#[test]
fn both_interfaces_see_one_store() {
    on_both_backends(|saboteur| {
        saboteur
            .call("/wasi/set-many?key=a&key=b&key=c&value=v")
            .is(200);
        assert_eq!(saboteur.call("/kv/keys").text(), "a b c");
        assert_eq!(
            saboteur.call("/wasi/get-many?key=a&key=z").text(),
            "a=v z=absent"
        );
        saboteur.call("/wasi/delete-many?key=a&key=b&key=z").is(200);
        assert_eq!(saboteur.call("/wasi/keys").text(), "c");
        assert_eq!(saboteur.call("/kv/exists?key=a").text(), "false");
    });
}

#[test]
fn a_store_outside_the_manifest_is_denied() {
    let saboteur = Saboteur::shared();
    for path in [
        "/kv/get?store=neighbour&key=a",
        "/wasi/get?store=default&key=a",
        "/sql?db=default&statement=select%201",
    ] {
        let response = saboteur.call(path).is(500);
        assert!(response.text().contains("AccessDenied"), "{response}");
    }
}

#[test]
fn components_do_not_share_the_stores_of_one_label() {
    let saboteur = Saboteur::start(&[]);
    saboteur.call("/kv/set?key=mine&value=1").is(200);
    let theirs = saboteur.call("/chain?url=http://neighbour.spin.internal/kv/keys?store=neighbour");
    assert!(
        theirs.text().trim_end().ends_with("ms"),
        "the neighbour sees {theirs}"
    );
}

#[test]
fn variables_environment_and_files_are_those_of_the_manifest() {
    let saboteur = Saboteur::start(&["--variable", "greeting=good morning"]);
    assert_eq!(
        saboteur.call("/var?name=greeting").text(),
        "good morning, world"
    );
    assert!(
        saboteur
            .call("/var?name=redis_address")
            .is(500)
            .text()
            .contains("Undefined")
    );
    assert_eq!(saboteur.call("/env?name=MOOD").text(), "sour");
    saboteur.call("/env?name=PATH").is(500);
    assert_eq!(
        saboteur.call("/file?path=/note.txt").text(),
        "a file the saboteur may read\n"
    );
    saboteur.call("/file?path=/etc/hostname").is(500);
    saboteur.call("/file?path=/note.txt&write=no").is(500);
}

#[test]
fn sql_parameters_are_bound_and_rows_persist() {
    let saboteur = Saboteur::shared();
    saboteur
        .call("/sql?statement=CREATE%20TABLE%20IF%20NOT%20EXISTS%20t(a,b)")
        .is(200);
    let insert =
        "/sql?statement=INSERT%20INTO%20t%20VALUES(?,?)&value=7&value=%27;DROP%20TABLE%20t;--";
    saboteur.call(insert).is(200);
    let rows = saboteur
        .call("/sql?statement=SELECT%20*%20FROM%20t")
        .is(200)
        .text();
    assert!(
        rows.contains("Integer(7)") && rows.contains("DROP TABLE"),
        "{rows}"
    );
    let endless = "WITH%20RECURSIVE%20n(i)%20AS%20(SELECT%201%20UNION%20ALL%20SELECT%20i%2B1%20FROM%20n)%20SELECT%20max(i)%20FROM%20n";
    let response = saboteur.call(&format!("/sql?statement={endless}"));
    assert!(matches!(response.status, 500 | 504), "{response}");
}

#[test]
fn a_guest_gets_an_error_before_its_deadline_when_a_server_hangs() {
    let (redis, other) = (RedisServer::start_durable(), RedisServer::start());
    let outside = format!("outside_url={}", other.url());
    let saboteur = Saboteur::start(&["--redis-url", &redis.url(), "--variable", &outside]);
    saboteur.call("/kv/set?key=k&value=v").is(200);
    saboteur.call("/redis?command=PING").is(200);
    // This command blocks without a fault of the server, on another server.
    let blocked = format!(
        "/redis?address={}&command=BLPOP&argument=empty&argument=0",
        other.url()
    );
    let response = saboteur.call(&blocked).is(500);
    assert!(response.text().contains("no response within"), "{response}");

    let calls = [
        "/kv/get?key=k",
        "/kv/keys",
        "/wasi/get?key=k",
        "/wasi/increment?key=n",
        "/cas/once?key=k&value=w",
        "/redis?command=XLEN&argument=socar.saboteur",
    ];
    for path in calls {
        redis.suspend();
        // The text comes from the guest, so the host has not ended the guest at its deadline.
        let response = saboteur.call(path).is(500);
        assert!(response.text().contains("no response within"), "{response}");
        redis.resume();
        eventually(
            || saboteur.call("/kv/get?key=k").status,
            |status| *status == 200,
        );
    }
}

#[test]
fn host_memory_held_for_a_guest_is_bounded() {
    let saboteur = Saboteur::shared();
    saboteur
        .call("/cas/hoard?key=large&kib=1024&times=16")
        .is(200);
    let response = saboteur
        .call("/cas/hoard?key=large&kib=1024&times=100")
        .is(500);
    assert!(response.text().starts_with("31 kept, then"), "{response}");
    // The memory is released when its call ends, and the limit holds for each call separately.
    saboteur
        .call("/cas/hoard?key=large&kib=1024&times=16")
        .is(200);
}

#[test]
fn the_concurrent_requests_of_a_guest_are_bounded() {
    // Enough for all calls one after the other, on a slow machine.
    let saboteur = Saboteur::start_with(&call_deadline("30s"), &[]);
    // No call has ended before the last one is sent.
    let url = "url=http://neighbour.spin.internal/sleep?ms=1000";
    let few = saboteur.call(&format!("/parallel?count=40&{url}")).is(200);
    assert_eq!(few.text().trim(), "40 succeeded");
    let many = saboteur.call(&format!("/parallel?count=100&{url}")).is(200);
    assert!(many.text().starts_with("64 succeeded"), "{many}");
}
