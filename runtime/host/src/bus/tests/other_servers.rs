//! Servers that hold neither the event log nor a store: plain Redis, as on stock Spin.

use super::*;

#[tokio::test]
async fn a_guest_has_a_connection_of_its_own_to_another_server() {
    let (fixture, other) = (embedded(), RedisServer::start().await);
    let one = open_at(&fixture.bus, &other.url()).await.unwrap();
    let two = open_at(&fixture.bus, &other.url()).await.unwrap();
    assert_eq!(run(&one, "MULTI").await.unwrap(), ok());
    assert_eq!(
        run(&one, "SET a 1").await.unwrap(),
        [RedisReply::Status("QUEUED".to_owned())]
    );
    assert_eq!(two.get("a").await.unwrap(), None);
    assert_eq!(run(&one, "EXEC").await.unwrap(), ok());
    let waiting = tokio::spawn(async move { run(&one, "BLPOP list 5").await.unwrap() });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert_eq!(two.get("a").await.unwrap().unwrap(), b"1");
    run(&two, "RPUSH list x").await.unwrap();
    assert_eq!(waiting.await.unwrap(), [binary("list"), binary("x")]);
}

#[tokio::test]
async fn replies_of_a_server_are_flattened_as_in_stock_spin() {
    let (fixture, other) = (embedded(), RedisServer::start().await);
    let connection = open_at(&fixture.bus, &other.url()).await.unwrap();
    run(&connection, "HSET h a 1").await.unwrap();
    assert_eq!(
        run(&connection, "HGETALL h").await.unwrap(),
        [binary("a"), binary("1")]
    );
    let nested = "return {1,{'two',{ok='three'},false},{}}";
    let answer = connection
        .execute("EVAL", vec![nested.into(), b"0".to_vec()])
        .await
        .unwrap();
    assert_eq!(
        answer,
        [
            RedisReply::Int64(1),
            binary("two"),
            RedisReply::Status("three".to_owned()),
            RedisReply::Nil
        ]
    );
    run(&connection, "ZADD z 1.5 a").await.unwrap();
    let scores = run(&connection, "ZRANGE z 0 -1 WITHSCORES").await.unwrap();
    assert_eq!(scores, [binary("a"), binary("1.5")]);
    assert_eq!(run(&connection, "SET k v NX PX 1000").await.unwrap(), ok());
}

#[tokio::test]
async fn another_address_is_a_real_connection() {
    let (ours, mut other) = (embedded(), RedisServer::start().await);
    let connection = open_at(&ours.bus, &other.url()).await.unwrap();
    connection.set("a", b"1".to_vec()).await.unwrap();
    assert_eq!(open(&ours).await.get("a").await.unwrap(), None);
    other.kill();
    assert!(matches!(connection.get("a").await, Err(BusError::Redis(_))));
    assert!(matches!(
        open_at(&ours.bus, &other.url()).await.err(),
        Some(BusError::Redis(_))
    ));
}
