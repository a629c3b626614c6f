//! A log and the effects of a group, one of which was restored without the other.

use super::*;
use storage::database::Database;

on_both_logs!(
    a_log_that_has_lost_what_a_group_has_handled_is_broken,
    a_log_that_goes_on_after_the_loss_is_broken,
    what_retention_has_removed_is_not_lost,
    what_a_group_has_to_get_again_must_be_there,
);

const GROUP: &str = "viewpage@host";

/// Handles all entries, and returns the progress.
async fn handle_all(fixture: &Fixture, consumer: &Consumer) -> Progress {
    let claimed = fixture.claim(consumer).await;
    fixture.acknowledge(consumer, &claimed).await;
    fixture.log.progress(STREAM, GROUP).unwrap()
}

async fn resume(fixture: &Fixture, kept: Progress) -> Continuity {
    fixture.log.resume(STREAM, GROUP, kept).await.unwrap()
}

async fn trim_all(fixture: &Fixture) {
    tokio::time::sleep(Duration::from_millis(5)).await;
    while fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap() > 0 {}
}

async fn a_log_that_has_lost_what_a_group_has_handled_is_broken(fixture: Fixture) {
    let consumer = fixture.subscribed(GROUP, "host").await;
    let ids = fixture.publish(&["a", "b"]).await;
    let kept = handle_all(&fixture, &consumer).await;
    assert_eq!((kept.claimed, kept.acknowledged), (ids[1], ids[1]));
    assert_eq!(resume(&fixture, kept).await, Continuity::Intact);
    fixture.log.remove(STREAM, ids[1]).await.unwrap();
    assert_eq!(resume(&fixture, kept).await, Continuity::Broken);
}

async fn a_log_that_goes_on_after_the_loss_is_broken(fixture: Fixture) {
    let consumer = fixture.subscribed(GROUP, "host").await;
    let ids = fixture.publish(&["a", "b"]).await;
    let kept = handle_all(&fixture, &consumer).await;
    fixture.log.remove(STREAM, ids[1]).await.unwrap();
    fixture.publish(&["b"]).await;
    handle_all(&fixture, &consumer).await;
    assert_eq!(resume(&fixture, kept).await, Continuity::Broken);
}

async fn what_retention_has_removed_is_not_lost(fixture: Fixture) {
    let consumer = fixture.subscribed(GROUP, "host").await;
    fixture.publish(&["a", "b"]).await;
    let kept = handle_all(&fixture, &consumer).await;
    trim_all(&fixture).await;
    assert_eq!(fixture.log.length(STREAM).await.unwrap(), 0);
    assert_eq!(resume(&fixture, kept).await, Continuity::Intact);
    let history = fixture.log.history().await.unwrap();
    let consumer = consumer.with_new_session();
    fixture.log.subscribe(&consumer).await.unwrap();
    assert_eq!(fixture.log.history().await.unwrap(), history);
}

async fn what_a_group_has_to_get_again_must_be_there(fixture: Fixture) {
    let consumer = fixture.subscribed(GROUP, "host").await;
    fixture.publish(&["a"]).await;
    let kept = handle_all(&fixture, &consumer).await;
    fixture.publish(&["b"]).await;
    handle_all(&fixture, &consumer).await;
    trim_all(&fixture).await;
    fixture.publish(&["c"]).await;
    assert_eq!(resume(&fixture, kept).await, Continuity::Broken);
}

/// The log of a host that starts again after its effects were restored.
async fn numbers_after_a_rewind(before: Fixture, after: impl AsyncFnOnce() -> Fixture) {
    let consumer = before.subscribed(GROUP, "host").await;
    before.publish(&["a"]).await;
    let kept = handle_all(&before, &consumer).await;
    before.publish(&["b", "c"]).await;
    handle_all(&before, &consumer).await;
    before.log.leave(&consumer).await.unwrap();
    let after = after().await;
    assert_eq!(resume(&after, kept).await, Continuity::Rewound);
    let consumer = after.subscribed(GROUP, "host").await;
    let claimed = after.claim(&consumer).await;
    let again: Vec<EntryId> = claimed.iter().map(|it| it.position.id).collect();
    let all = after.log.range(STREAM, EntryId::MIN, EntryId::MAX, 10);
    let all: Vec<EntryId> = all.await.unwrap().iter().map(|it| it.id).collect();
    assert_eq!(again, all[1..]);
}

#[tokio::test]
async fn an_embedded_log_gives_again_what_restored_effects_lack() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let database = Database::open(&folder.path().join("socar.db")).unwrap();
        let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
        (Fixture::of(log, Box::new(())), database)
    };
    let (before, database) = open();
    let after = async || {
        database.close().unwrap();
        open().0
    };
    numbers_after_a_rewind(before, after).await;
}

#[tokio::test]
async fn a_redis_gives_again_what_restored_effects_lack() {
    let server = storage::redis_client::test_support::RedisServer::start().await;
    let log = || Fixture::of(Arc::new(RedisLog::new(server.client())), Box::new(()));
    numbers_after_a_rewind(log(), async || log()).await;
}

/// The server has no memory for the identity of the new history at first.
#[tokio::test]
async fn a_loss_is_noticed_again_until_the_new_history_has_begun() {
    let server = storage::redis_client::test_support::RedisServer::start().await;
    let client = server.client();
    let fixture = Fixture::of(Arc::new(RedisLog::new(client.clone())), Box::new(()));
    let consumer = fixture.subscribed(GROUP, "host").await;
    let ids = fixture.publish(&["a", "b"]).await;
    handle_all(&fixture, &consumer).await;
    let before = fixture.log.history().await.unwrap();
    fixture.log.remove(STREAM, ids[1]).await.unwrap();
    let limit_memory = async |bytes: usize| {
        let mut limit = ::redis::cmd("CONFIG");
        limit.arg("SET").arg("maxmemory").arg(bytes);
        client.query::<String>(&limit).await.unwrap();
    };
    limit_memory(1).await;
    let consumer = consumer.with_new_session();
    fixture.log.subscribe(&consumer).await.unwrap_err();
    limit_memory(0).await;
    assert_eq!(fixture.log.history().await.unwrap(), before);
    let consumer = consumer.with_new_session();
    let lost = fixture.log.history_lost();
    assert!(
        tokio::time::timeout(Duration::from_millis(10), lost)
            .await
            .is_err()
    );
    fixture.log.subscribe(&consumer).await.unwrap();
    let after = fixture.log.history().await.unwrap();
    assert_ne!(after, before);
    fixture.log.history_lost().await;
    fixture.log.subscribe(&consumer).await.unwrap();
    assert_eq!(fixture.log.history().await.unwrap(), after);
}

/// A server that does not tell of its groups says nothing about them.
#[tokio::test]
async fn a_server_that_refuses_to_tell_of_groups_has_lost_nothing() {
    let server = storage::redis_client::test_support::RedisServer::start().await;
    let fixture = Fixture::of(Arc::new(RedisLog::new(server.client())), Box::new(()));
    let absent = fixture.log.acknowledged_up_to("socar.absent", GROUP).await;
    assert_eq!(absent.unwrap(), None);
    let mut user = ::redis::cmd("ACL");
    user.arg(&["SETUSER", "shy", "on", "nopass", "~*", "&*", "+@all"]);
    user.arg("-xinfo");
    server.client().query::<String>(&user).await.unwrap();
    let url = server.url().replace("redis://", "redis://shy:any@");
    let client = storage::redis_client::RedisClient::new(&url).unwrap();
    let fixture = Fixture::of(Arc::new(RedisLog::new(client)), Box::new(()));
    let refused = fixture.log.acknowledged_up_to(STREAM, GROUP).await;
    assert!(refused.is_err(), "{refused:?}");
}
