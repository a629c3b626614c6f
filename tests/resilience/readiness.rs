//! Do the probes report what they should? Liveness is about the process, readiness about the platform, and a
//! failing component affects neither. Checkpoint readiness.

use std::thread;

use harness::{RedisServer, eventually};

use crate::saboteur::Saboteur;

#[test]
fn a_failing_component_fails_no_probe() {
    let saboteur = Saboteur::start(&[]);
    thread::scope(|scope| {
        let failing: Vec<_> = ["/trap", "/spin", "/sleep?ms=60000", "/hoard?mib=512"]
            .iter()
            .map(|path| scope.spawn(|| saboteur.call(path)))
            .collect();
        for _ in 0..10 {
            saboteur.call("/livez").is(200);
            saboteur.call("/readyz").is(200);
        }
        for failing in failing {
            assert!(failing.join().expect("a response").status >= 500);
        }
    });
}

#[test]
fn a_platform_without_its_stores_is_live_and_not_ready() {
    let redis = RedisServer::start();
    let saboteur = Saboteur::start(&["--redis-url", &redis.url()]);
    saboteur.call("/readyz").is(200);
    drop(redis);
    let ready = eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
    assert_eq!(ready, 503);
    saboteur.call("/livez").is(200);
    assert_eq!(
        saboteur.call("/actuator/health/liveness").json()["status"],
        "UP"
    );
}

#[test]
fn a_redis_that_refuses_writes_is_not_ready_and_names_the_cause() {
    let redis = RedisServer::start();
    let saboteur = Saboteur::start(&["--redis-url", &redis.url()]);
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut order = |command: &str| {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().expect("a command"));
        let done: String = command
            .arg(words.collect::<Vec<_>>())
            .query(&mut connection)
            .expect("done");
        assert_eq!(done, "OK");
    };
    for (harm, cause, remedy) in [
        ("REPLICAOF 127.0.0.1 1", "READONLY", "REPLICAOF NO ONE"),
        ("CONFIG SET maxmemory 1", "OOM", "CONFIG SET maxmemory 0"),
        (
            "CONFIG SET min-replicas-to-write 1",
            "NOREPLICAS",
            "CONFIG SET min-replicas-to-write 0",
        ),
    ] {
        saboteur.call("/readyz").is(200);
        order(harm);
        eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
        let causes = saboteur.call("/readyz?verbose").text();
        assert!(
            causes.contains("[-] event log") && causes.to_uppercase().contains(cause),
            "{causes}"
        );
        assert!(!causes.contains("[+] key-value store"), "{causes}");
        order(remedy);
        eventually(|| saboteur.call("/readyz").status, |status| *status == 200);
    }
}

#[test]
fn a_store_on_a_redis_of_its_own_has_a_check_of_its_own() {
    let (log, store) = (RedisServer::start(), RedisServer::start());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runtime-config.toml");
    let store_config = format!(
        "[key_value_store.saboteur]\ntype = \"redis\"\nurl = \"{}\"\n",
        store.url()
    );
    std::fs::write(&file, store_config).expect("a file");
    let file = file.to_str().expect("a path");
    let saboteur = Saboteur::start(&["--redis-url", &log.url(), "--runtime-config-file", file]);
    saboteur.call("/kv/set?key=a&value=b").is(200);
    saboteur.call("/readyz").is(200);
    store.kill();
    eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
    let causes = saboteur.call("/readyz?verbose").text();
    assert!(causes.contains("[+] event log"), "{causes}");
    assert!(causes.contains("[-] key-value store"), "{causes}");
    store.restart();
    eventually(|| saboteur.call("/readyz").status, |status| *status == 200);
    saboteur.call("/kv/set?key=a&value=c").is(200);
}

#[test]
fn a_host_whose_database_was_removed_is_not_ready_and_confirms_nothing() {
    let saboteur = Saboteur::start(&[]);
    saboteur.call("/kv/set?key=a&value=b").is(200);
    for file in ["socar.db", "socar.db-wal", "socar.db-shm"] {
        std::fs::remove_file(saboteur.state_dir().join(file)).expect("a file of the database");
    }
    let confirmed = saboteur.call("/kv/set?key=a&value=c");
    assert_eq!(confirmed.status, 503, "{}", confirmed.text());
    eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
    let causes = saboteur.call("/readyz?verbose").text();
    assert!(causes.contains("removed or replaced"), "{causes}");
    saboteur.call("/livez").is(200);
}

#[test]
fn a_host_whose_log_was_truncated_is_not_ready_confirms_nothing_and_fails() {
    let saboteur = Saboteur::start(&[]);
    saboteur.call("/kv/set?key=a&value=b").is(200);
    let log = saboteur.state_dir().join("socar.db-wal");
    let log = std::fs::File::options().write(true).open(log);
    log.expect("the log").set_len(0).expect("an empty log");
    let confirmed = saboteur.call("/kv/set?key=a&value=c");
    assert_eq!(confirmed.status, 503, "{}", confirmed.text());
    eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
    let causes = saboteur.call("/readyz?verbose").text();
    assert!(causes.contains("socar.db-wal was truncated"), "{causes}");
    saboteur.call("/livez").is(200);
    assert_eq!(saboteur.terminate().code(), Some(1));
}

#[test]
fn with_a_drain_the_host_serves_until_the_load_balancer_has_noticed() {
    let saboteur = Saboteur::start(&["--drain", "1500ms"]);
    let exit = thread::scope(|scope| {
        let exit = scope.spawn(|| saboteur.terminate());
        eventually(|| saboteur.call("/readyz").status, |status| *status == 503);
        for _ in 0..5 {
            saboteur.call("/greet/me").is(200);
        }
        exit.join().expect("an exit status")
    });
    assert_eq!(exit.code(), Some(0));
}

/// The saboteur keeps rows of its own for each host, and cannot rebuild them.
const READ_MODEL: &str = "\n[component.saboteur.tool.socar]\nevents = \"each-host\"\n";

#[test]
fn rows_that_do_not_belong_to_the_log_are_not_ready() {
    // Events may be gone, so that an empty read model cannot be filled from the log.
    let policy = format!("retention = \"1h\"\n{READ_MODEL}");
    let saboteur = Saboteur::start_with(&policy, &[]);
    saboteur.call("/readyz").is(503);
    let text = saboteur.call("/readyz?verbose").text();
    assert!(
        text.contains("[-] read model of `saboteur`: the read model does not belong"),
        "{text}"
    );
    let failed = |text: &String| text.contains("its rebuild failed");
    eventually(|| saboteur.call("/readyz?verbose").text(), failed);
    saboteur.call("/livez").is(200);
}

#[test]
fn a_read_model_that_is_hopelessly_behind_is_not_ready() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut events = redis::pipe();
    for number in 0..1100 {
        let event =
            format!(r#"{{"id":"{number}","subject":"{number}","data":{{"behave":"sleep:300"}}}}"#);
        events
            .cmd("XADD")
            .arg("socar.saboteur")
            .arg("*")
            .arg("event")
            .arg(event)
            .ignore();
    }
    let () = events.query(&mut connection).expect("done");
    let saboteur = Saboteur::start_with(READ_MODEL, &["--redis-url", &redis.url()]);
    saboteur.call("/readyz").is(503);
    let text = saboteur.call("/readyz?verbose").text();
    assert!(
        text.contains("[-] read model of `saboteur`: 1") && text.contains("events are missing"),
        "{text}"
    );
    eventually(|| saboteur.call("/readyz").status, |status| *status == 200);
}

#[test]
fn a_redis_that_its_user_may_not_use_is_not_ready_from_the_start() {
    for denied in ["-xadd", "-xreadgroup", "-xack", "-@blocking", "-@scripting"] {
        let redis = RedisServer::start();
        let client = redis::Client::open(redis.url()).expect("an address");
        let mut connection = client.get_connection().expect("a connection");
        let mut deny = redis::cmd("ACL");
        deny.arg("SETUSER").arg("default").arg(denied);
        deny.query::<String>(&mut connection).expect("done");
        let saboteur = Saboteur::start(&["--redis-url", &redis.url()]);
        let causes = saboteur.call("/readyz?verbose").is(503).text();
        let is_named = causes.contains("[-] event log") && causes.contains("permissions");
        assert!(is_named, "{denied}: {causes}");
    }
}

/// The store has the server of the log, and a user of its own who may not write.
#[test]
fn each_user_of_a_redis_has_a_check_of_its_own() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut reader = redis::cmd("ACL");
    reader.arg(&[
        "SETUSER", "reader", "on", ">secret", "~*", "&*", "+@all", "-@write",
    ]);
    reader.query::<String>(&mut connection).expect("done");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("runtime-config.toml");
    let url = redis.url().replace("redis://", "redis://reader:secret@");
    let config = format!("[key_value_store.saboteur]\ntype = \"redis\"\nurl = \"{url}\"\n");
    std::fs::write(&file, config).expect("a file");
    let file = file.to_str().expect("a path");
    let saboteur = Saboteur::start(&["--redis-url", &redis.url(), "--runtime-config-file", file]);
    let causes = saboteur.call("/readyz?verbose").is(503).text();
    assert!(causes.contains("[+] event log"), "{causes}");
    let is_named = causes.contains("[-] key-value store `saboteur`: `saboteur`: redis refused");
    assert!(is_named, "{causes}");
}

/// The user may use the log and the keys of most stores.
#[test]
fn a_store_whose_keys_the_user_may_not_use_is_not_ready_from_the_start() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut user = redis::cmd("ACL");
    user.arg(&[
        "SETUSER",
        "most",
        "on",
        ">secret",
        "~socar.*",
        "~neighbour:*",
    ]);
    user.arg(&["&*", "+@all"]);
    user.query::<String>(&mut connection).expect("done");
    let url = redis.url().replace("redis://", "redis://most:secret@");
    let saboteur = Saboteur::start(&["--redis-url", &url]);
    let causes = saboteur.call("/readyz?verbose").is(503).text();
    assert!(causes.contains("[+] event log"), "{causes}");
    let is_named = causes.contains("`saboteur`: ") && causes.contains("permissions");
    assert!(is_named, "{causes}");
}

#[test]
fn a_stream_of_another_type_is_not_ready() {
    let redis = RedisServer::start();
    let client = redis::Client::open(redis.url()).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    let mut text = redis::cmd("SET");
    text.arg("socar.saboteur").arg("no stream");
    text.query::<String>(&mut connection).expect("done");
    let saboteur = Saboteur::start(&["--redis-url", &redis.url()]);
    let causes = saboteur.call("/readyz?verbose").is(503).text();
    let is_named = causes.contains("[-] event log") && causes.contains("`socar.saboteur`");
    assert!(is_named, "{causes}");
}
