//! What a component can do on a server that holds the event log or a store, under each of its names.

use super::*;

/// What a component with `publishes = ["socar.own"]` and `redis_keys = ["own:"]` may do, and what not.
async fn assert_guarded(connection: &BusConnection) {
    for line in [
        "PING",
        "XADD socar.own * event x",
        "XLEN socar.own",
        "PUBLISH socar.own x",
        "SET own:a 1",
        "INCR own:n",
        "EXISTS own:a own:b",
        "DEL own:a own:n",
    ] {
        let reply = run(connection, line).await;
        assert!(reply.is_ok(), "{line}: {reply:?}");
    }
    for line in [
        "XADD socar.car * event x",
        "XADD socar.dead * event x",
        "XADD socar.own 18446744073709551615-0 event x",
        "XADD socar.own MAXLEN 0 * event x",
        "XRANGE socar.car - +",
        "PUBLISH socar.car x",
        "GET car:1",
        "SET car:1 x",
        "SET socar.log:history x",
        "DEL own:a car:1",
        "MSET own:a 1 car:1 2",
        "MGET own:a car:1",
        "GET socar.own",
        "SADD car:1 x",
        "EVAL return 0",
        "KEYS *",
        "FLUSHALL",
        "SELECT 0",
        "MULTI",
        "CONFIG GET dir",
        "EVAL\r\nGET x",
    ] {
        let reply = run(connection, line).await;
        let Err(BusError::Denied(cause)) = reply else {
            panic!("{line}: {reply:?}")
        };
        let words: Vec<_> = line.split_whitespace().collect();
        let is_named = words
            .iter()
            .any(|word| cause.contains(&format!("`{word}`")));
        assert!(is_named, "{line}: {cause}");
    }
    let typed = [
        connection.publish("socar.car", Vec::new()).await.err(),
        connection.get("car:1").await.err(),
        connection.set("car:1", Vec::new()).await.err(),
        connection.incr("car:1").await.err(),
        connection.del(&["car:1".to_owned()]).await.err(),
        connection.sadd("car:1", &[String::new()]).await.err(),
        connection.srem("car:1", &[String::new()]).await.err(),
        connection.smembers("car:1").await.err(),
    ];
    for error in typed {
        assert!(matches!(error, Some(BusError::Denied(_))), "{error:?}");
    }
}

pub(super) async fn only_what_is_granted_can_be_used(fixture: Fixture) {
    let grants = grants(&["socar.own"], &["own:"]);
    assert_guarded(&fixture.bus.open(ADDRESS, &grants).await.unwrap()).await;
}

#[tokio::test]
async fn another_name_of_a_guarded_server_is_guarded() {
    let server = RedisServer::start().await;
    let grants = grants(&["socar.own"], &["own:"]);
    let database = Database::in_memory().unwrap();
    let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
    let with_log = Bus::redis(ADDRESS, server.client(), Vec::new());
    let with_store = Bus::embedded(ADDRESS, log, database, vec![server.client()]).unwrap();
    let named = server.url().replace("127.0.0.1", "localhost");
    for bus in [with_log, with_store] {
        for address in [&server.url(), &named, &format!("{named}/5")] {
            assert_guarded(&bus.open(address, &grants).await.unwrap()).await;
        }
        let mut other = RedisServer::start().await;
        let plain = bus.open(&other.url(), &grants).await.unwrap();
        run(&plain, "SET car:1 x").await.unwrap();
        run(&plain, "FLUSHALL").await.unwrap();
        other.kill();
    }
}
