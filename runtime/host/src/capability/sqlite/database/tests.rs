//! Databases as guests use them: own transactions, bound values, deadlines, and no way to another file.

mod lost_files;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use super::*;
use crate::call::Call;
use crate::capability::bindings::spin::sqlite::sqlite::Value;
use crate::trace::Trace;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn database() -> (Arc<GuestDatabase>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sqlite/rows.db");
    let database = GuestDatabase::open_batched(&path, Arc::default()).unwrap();
    (database, directory)
}

async fn run(session: &DatabaseSession, statement: &str) -> Result<Vec<Vec<Value>>, Error> {
    let answer = session.execute(statement, &[], soon(), None).await?;
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
        .execute(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?)",
            &values,
            soon(),
            None,
        )
        .await
        .unwrap();
    assert_eq!((session.changes(), session.last_insert_rowid()), (1, 1));
    let answer = session
        .execute("SELECT * FROM t", &[], soon(), None)
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
        .execute(
            endless,
            &[],
            Instant::now() + Duration::from_millis(20),
            None,
        )
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
async fn no_statement_changes_a_setting_of_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let databases = [
        GuestDatabase::open(&path, FileAttachment::Allowed).unwrap(),
        GuestDatabase::in_memory("settings").unwrap(),
        database().0,
    ];
    for database in databases {
        let session = database.session().unwrap();
        for setting in [
            "temp_store_directory = '/tmp'",
            "soft_heap_limit = 1",
            "hard_heap_limit = 1",
        ] {
            let statement = format!("PRAGMA {setting}");
            assert!(run(&session, &statement).await.is_err(), "{statement}");
        }
    }
}

#[tokio::test]
async fn a_database_in_memory_has_a_bound() {
    let database = GuestDatabase::in_memory("full").unwrap();
    let session = database.session().unwrap();
    let raised = run(&session, "PRAGMA max_page_count = 1000000000").await;
    assert!(raised.is_err());
    run(&session, "CREATE TABLE t(a)").await.unwrap();
    let mut written = 0;
    let full = loop {
        match run(&session, "INSERT INTO t VALUES (zeroblob(16000000))").await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 10, "{written}");
    };
    assert!(is_unavailable(&full), "{full:?}");
    assert!(written > 2, "{written}");
}

/// Statements whose values, prepared form or list of rows would take gigabytes.
#[tokio::test]
async fn a_statement_that_takes_too_much_memory_fails_alone() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    let blobs = vec!["randomblob(20000000)"; 20].join(", ");
    let list = "1,".repeat(2_000_000);
    for statement in [
        format!("SELECT {blobs}"),
        format!("SELECT 1 IN ({list}1)"),
        "INSERT INTO t SELECT length(hex(zeroblob(100000000)))".to_owned(),
        "SELECT group_concat(x) FROM (WITH RECURSIVE n(i) AS
           (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500)
         SELECT hex(zeroblob(1000000)) AS x FROM n)"
            .to_owned(),
    ] {
        let error = run(&session, &statement).await.unwrap_err();
        let reason = format!("{error:?}");
        assert!(reason.contains("134217728 bytes of memory"), "{reason}");
        run(&session, "INSERT INTO t VALUES (1)").await.unwrap();
    }
    assert_eq!(count(&session).await, 4);
}

const ENDLESS_WRITE: &str = "INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0";

/// The database of a host whose writes are refused after a lost batch.
fn fenced_database() -> (Arc<GuestDatabase>, Arc<WriteFence>, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let fence = Arc::new(WriteFence::default());
    fence.activate();
    let path = directory.path().join("rows.db");
    let database = GuestDatabase::open_batched(&path, fence.clone()).unwrap();
    (database, fence, directory)
}

/// Two writes in quick succession: the first one may be committed alone, and the second one is in an open batch.
async fn write_twice(session: &DatabaseSession, call: &Call) {
    for value in [1, 2] {
        let insert = format!("INSERT INTO t VALUES ({value})");
        let written = session.execute(&insert, &[], soon(), Some(call));
        written.await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_is_undone_fails_only_calls_of_its_own_database() {
    let (database, fence, _directory) = fenced_database();
    let create = "CREATE TABLE t(a UNIQUE ON CONFLICT ROLLBACK)";
    with_table(&database, create).await;
    // One without a connection of its own.
    let session = database.session().unwrap();
    for statement in [ENDLESS_WRITE, "INSERT INTO t VALUES (0)"] {
        let mut undone = 0;
        for _ in 0..20 {
            run(&session, "INSERT OR IGNORE INTO t VALUES (0)")
                .await
                .unwrap();
            let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
            write_twice(&session, &call).await;
            let deadline = Instant::now() + Duration::from_millis(30);
            let ended = session.execute(statement, &[], deadline, None).await;
            assert!(ended.is_err());
            assert!(fence.closed().now_or_never().is_none());
            let is_kept = call.wait_durable().await.is_ok();
            let rows = count(&session).await;
            assert!(!is_kept || rows == 3, "{statement}: {rows} rows");
            undone += u32::from(!is_kept);
            run(&session, "DELETE FROM t WHERE a > 0").await.unwrap();
            database.check().unwrap();
        }
        assert!(undone > 0, "{statement}");
    }
}

/// The largest number of pages stands for a full disk.
#[tokio::test]
async fn a_file_of_others_is_full_until_a_write_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let database = GuestDatabase::open(&path, FileAttachment::Denied).unwrap();
    let session = database.session().unwrap();
    run(&session, "CREATE TABLE t(a)").await.unwrap();
    run(&session, "PRAGMA max_page_count = 10").await.unwrap();
    let large = "INSERT INTO t VALUES (zeroblob(100000))";
    let full = run(&session, large).await.unwrap_err();
    assert!(is_unavailable(&full), "{full:?}");
    let cause = database.check().unwrap_err().to_string();
    assert!(cause.contains("there is no room"), "{cause}");
    run(&session, "PRAGMA max_page_count = 1000").await.unwrap();
    run(&session, large).await.unwrap();
    database.check().unwrap();
}

/// A read model can be made anew, so that its damage must not end the writes of others.
#[tokio::test]
async fn a_damaged_file_fails_its_own_statements_and_its_check() {
    let (database, _, directory) = fenced_database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
        INSERT INTO t SELECT hex(randomblob(250)) FROM n";
    run(&session, fill).await.unwrap();
    drop(session);
    database.close().unwrap();
    drop(database);
    let path = directory.path().join("rows.db");
    let mut file = std::fs::read(&path).unwrap();
    let middle = file.len() / 2;
    file[middle..middle + 9000].fill(0x41);
    std::fs::write(&path, file).unwrap();
    let fence = Arc::new(WriteFence::default());
    fence.activate();
    let database = GuestDatabase::open_batched(&path, fence.clone()).unwrap();
    database.check().unwrap();
    let session = database.session().unwrap();
    for _ in 0..3 {
        run(&session, "UPDATE t SET a = a || 'x'")
            .await
            .unwrap_err();
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(fence.closed().now_or_never().is_none());
    }
    let cause = database.check().unwrap_err().to_string();
    assert!(cause.contains("is damaged"), "{cause}");
}

/// With as many readers and waiting calls as threads, a timer shows whether the runtime goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_write_blocks_no_thread() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    for _ in 0..5 {
        let deadline = Instant::now() + Duration::from_millis(500);
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
        write_twice(&session, &call).await;
        let long = database.session().unwrap();
        let long = async move { long.execute(ENDLESS_WRITE, &[], deadline, None).await };
        let long = tokio::spawn(long);
        while database.writing.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let others = (0..4).map(|_| {
            let (session, call) = (database.session().unwrap(), call.clone());
            let database = database.clone();
            tokio::spawn(async move {
                let select = session.execute("SELECT a FROM t", &[], deadline, None);
                let _ = select.await;
                let _ = call.wait_durable().await;
                database.check().unwrap();
                let _ = database.try_commit();
            })
        });
        let others: Vec<_> = others.collect();
        let mut longest = Duration::ZERO;
        while !long.is_finished() {
            let begun = Instant::now();
            tokio::spawn(tokio::time::sleep(Duration::from_millis(5)))
                .await
                .unwrap();
            longest = longest.max(begun.elapsed());
        }
        assert!(longest < Duration::from_millis(250), "{longest:?}");
        for other in others {
            other.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_database_in_memory_is_one_for_all_its_sessions() {
    let database = GuestDatabase::in_memory("rows").unwrap();
    let (one, other) = (database.session().unwrap(), database.session().unwrap());
    run(&one, "CREATE TABLE t(a)").await.unwrap();
    assert_eq!(count(&other).await, 0);
}

async fn integer(session: &DatabaseSession, statement: &str) -> i64 {
    match run(session, statement).await.unwrap()[0][0] {
        Value::Integer(number) => number,
        ref other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sql_reports_the_latest_write_of_its_own_session() {
    let (database, _directory) = database();
    let other = with_table(&database, "CREATE TABLE t(a)").await;
    let one = database.session().unwrap();
    run(&one, "INSERT INTO t VALUES (1), (2), (3)")
        .await
        .unwrap();
    for number in 0..5 {
        let insert = format!("INSERT INTO t VALUES ({number})");
        run(&other, &insert).await.unwrap();
    }
    assert_eq!((one.changes(), one.last_insert_rowid()), (3, 3));
    assert_eq!(integer(&one, "SELECT changes()").await, 3);
    assert_eq!(integer(&one, "SELECT last_insert_rowid()").await, 3);
    assert_eq!(integer(&one, "SELECT total_changes()").await, 3);
    run(&one, "UPDATE t SET a = 9 WHERE rowid < 3")
        .await
        .unwrap();
    assert_eq!(integer(&one, "SELECT changes()").await, 2);
    assert_eq!(integer(&one, "SELECT total_changes()").await, 5);
    let child = "INSERT INTO t VALUES (last_insert_rowid())";
    run(&other, child).await.unwrap();
    assert_eq!(integer(&other, "SELECT max(a) FROM t").await, 9);
    assert_eq!(integer(&other, "SELECT a FROM t WHERE rowid = 9").await, 8);
}

#[tokio::test]
async fn a_write_is_seen_by_every_session_at_once() {
    let (database, _directory) = database();
    let one = with_table(&database, "CREATE TABLE t(a)").await;
    let other = database.session().unwrap();
    for number in 1..50 {
        run(&one, "INSERT INTO t VALUES (1)").await.unwrap();
        assert_eq!(count(&other).await, number);
    }
}

/// A session without a connection of its own, after it has created a table.
async fn with_table(database: &Arc<GuestDatabase>, statement: &str) -> Arc<DatabaseSession> {
    let session = database.session().unwrap();
    run(&session, statement).await.unwrap();
    // A read commits what was written.
    run(&session, "SELECT 1").await.unwrap();
    session
}

/// A connection that sees what a crash at that moment leaves.
fn outside(database: &GuestDatabase) -> Connection {
    Connection::open(database.location.path()).unwrap()
}

fn kept(outside: &Connection) -> i64 {
    let mut count = outside.prepare_cached("SELECT count(*) FROM t").unwrap();
    count.query_row([], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_call_waits_for_its_writes() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    let outside = outside(&database);
    for number in 1..50 {
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
        let insert = session.execute("INSERT INTO t VALUES (1)", &[], soon(), Some(&call));
        insert.await.unwrap();
        call.wait_durable().await.unwrap();
        assert_eq!(kept(&outside), number);
    }
}

#[tokio::test]
async fn writes_are_committed_together() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    let outside = outside(&database);
    let mut is_batched = false;
    for written in 1..=200 {
        run(&session, "INSERT INTO t VALUES (1)").await.unwrap();
        is_batched |= kept(&outside) < written;
    }
    assert!(is_batched, "each write was committed alone");
    database.close().unwrap();
    assert_eq!(kept(&outside), 200);
}

/// Some pages are always newer than the last checkpoint. The values are random, because SQLite writes no page that stays the
/// same.
#[tokio::test]
async fn the_log_of_a_busy_writer_is_emptied() {
    let (database, directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    run(&session, "INSERT INTO t VALUES (randomblob(1000000))")
        .await
        .unwrap();
    let log = directory.path().join("sqlite/rows.db-wal");
    let length = || std::fs::metadata(&log).unwrap().len();
    let mut longest = 0;
    while length() >= longest {
        longest = length();
        assert!(longest < 512 << 20, "{longest} bytes");
        run(&session, "UPDATE t SET a = randomblob(1000000)")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_failed_write_undoes_itself_only() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a UNIQUE)").await;
    run(&session, "INSERT INTO t VALUES (1)").await.unwrap();
    let twice = run(&session, "INSERT INTO t VALUES (2), (1)").await;
    assert!(twice.is_err());
    run(&session, "INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(count(&session).await, 2);
}

#[tokio::test]
async fn a_statement_with_a_common_table_sees_a_table_that_was_just_created() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    for number in 0..50 {
        let create = format!("CREATE TABLE t{number}(a)");
        let insert = format!("WITH n AS (SELECT 1) INSERT INTO t{number} SELECT * FROM n");
        let select = format!("WITH n AS (SELECT a FROM t{number}) SELECT a FROM n");
        run(&session, "INSERT INTO t VALUES (1)").await.unwrap();
        run(&session, &create).await.unwrap();
        run(&session, &insert).await.unwrap();
        assert_eq!(integer(&session, &select).await, 1);
    }
}
