//! Databases as guests use them: own transactions, bound values, deadlines, and no way to another file.

use std::path::PathBuf;

use super::*;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn database() -> (Arc<GuestDatabase>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let database = GuestDatabase::open(
        &directory.path().join("sqlite/rows.db"),
        FileAttachment::Denied,
    )
    .unwrap();
    (database, directory)
}

async fn run(session: &DatabaseSession, statement: &str) -> Result<Vec<Vec<Value>>, Error> {
    let answer = session.execute(statement, &[], soon()).await?;
    Ok(answer.rows.into_iter().map(|row| row.values).collect())
}

async fn count(session: &DatabaseSession) -> i64 {
    match run(session, "SELECT count(*) FROM t")
        .await
        .unwrap()
        .as_slice()
    {
        [row] => match row.as_slice() {
            [Value::Integer(count)] => *count,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn values_come_back_as_they_were_bound() {
    let (database, _directory) = database();
    let session = database.session().unwrap();
    run(&session, "CREATE TABLE t(a, b, c, d, e)")
        .await
        .unwrap();
    let values = [
        Value::Integer(7),
        Value::Real(0.5),
        Value::Text("'; DROP TABLE t; --".to_owned()),
        Value::Blob(vec![0, 255]),
        Value::Null,
    ];
    session
        .execute("INSERT INTO t VALUES (?, ?, ?, ?, ?)", &values, soon())
        .await
        .unwrap();
    assert_eq!((session.changes(), session.last_insert_rowid()), (1, 1));
    let answer = session
        .execute("SELECT * FROM t", &[], soon())
        .await
        .unwrap();
    assert_eq!(answer.columns, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        format!("{:?}", answer.rows[0].values),
        format!("{values:?}")
    );
}

#[tokio::test]
async fn a_transaction_is_seen_by_nobody_before_it_is_committed() {
    let (database, _directory) = database();
    let (one, other) = (database.session().unwrap(), database.session().unwrap());
    run(&one, "CREATE TABLE t(a)").await.unwrap();
    run(&one, "BEGIN").await.unwrap();
    run(&one, "INSERT INTO t VALUES (1)").await.unwrap();
    assert_eq!(count(&other).await, 0);
    run(&one, "COMMIT").await.unwrap();
    assert_eq!(count(&other).await, 1);
}

#[tokio::test]
async fn a_transaction_that_nobody_ends_is_undone_with_its_session() {
    let (database, _directory) = database();
    let session = database.session().unwrap();
    run(&session, "CREATE TABLE t(a)").await.unwrap();
    run(&session, "BEGIN IMMEDIATE").await.unwrap();
    run(&session, "INSERT INTO t VALUES (1)").await.unwrap();
    drop(session);
    let next = database.session().unwrap();
    assert_eq!(count(&next).await, 0);
    run(&next, "INSERT INTO t VALUES (2)").await.unwrap();
}

#[tokio::test]
async fn a_writer_waits_for_the_transaction_of_another() {
    let (database, _directory) = database();
    let (one, other) = (database.session().unwrap(), database.session().unwrap());
    run(&one, "CREATE TABLE t(a)").await.unwrap();
    run(&one, "BEGIN IMMEDIATE").await.unwrap();
    let (waited, committed) =
        tokio::join!(run(&other, "INSERT INTO t VALUES (1)"), run(&one, "COMMIT"));
    committed.unwrap();
    waited.unwrap();
    assert_eq!(count(&one).await, 1);
}

#[tokio::test]
async fn simultaneous_writers_all_succeed() {
    let (database, _directory) = database();
    run(&database.session().unwrap().clone(), "CREATE TABLE t(a)")
        .await
        .unwrap();
    let writers = (0..32).map(|_| {
        let session = database.session().unwrap();
        tokio::spawn(async move { run(&session, "INSERT INTO t VALUES (1)").await })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap().unwrap();
    }
    assert_eq!(count(&database.session().unwrap()).await, 32);
}

#[tokio::test]
async fn a_query_without_end_stops_at_the_deadline() {
    let (database, _directory) = database();
    let session = database.session().unwrap();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let outcome = session
        .execute(endless, &[], Instant::now() + Duration::from_millis(20))
        .await;
    assert_eq!(
        outcome.err().map(|error| format!("{error:?}")).as_deref(),
        Some("Error::Io(\"the deadline came first\")")
    );
    run(&session, "SELECT 1").await.unwrap();
}

#[tokio::test]
async fn no_statement_reaches_another_file() {
    let (database, directory) = database();
    let session = database.session().unwrap();
    let other: PathBuf = directory.path().join("other.db");
    for statement in [
        format!("ATTACH '{}' AS other", other.display()),
        format!("VACUUM INTO '{}'", other.display()),
        "PRAGMA journal_mode = delete".to_owned(),
    ] {
        assert!(run(&session, &statement).await.is_err(), "{statement}");
    }
    assert!(!other.exists());
}

#[tokio::test]
async fn a_database_in_memory_is_one_for_all_its_sessions() {
    let database = GuestDatabase::in_memory("rows").unwrap();
    let (one, other) = (database.session().unwrap(), database.session().unwrap());
    run(&one, "CREATE TABLE t(a)").await.unwrap();
    assert_eq!(count(&other).await, 0);
}
