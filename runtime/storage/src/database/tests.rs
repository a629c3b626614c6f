mod lost_files;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use super::group_commit::MAX_COMMIT_INTERVAL;
use super::*;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, body BLOB)";

fn count(database: &Database) -> i64 {
    database
        .read(|connection| connection.query_row("SELECT count(*) FROM thing", [], |r| r.get(0)))
        .unwrap()
}

fn insert(connection: &Connection, size: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO thing (body) VALUES (zeroblob(?1))")?
        .execute([size])
        .map(drop)
}

#[test]
fn a_failed_transaction_leaves_nothing_behind() {
    let database = Database::in_memory().unwrap();
    database.create_schema(TABLE).unwrap();
    let refused: Result<(), DatabaseError> = database.transaction(|connection| {
        insert(connection, 1)?;
        Err(rusqlite::Error::QueryReturnedNoRows.into())
    });
    assert!(refused.is_err());
    assert_eq!(count(&database), 0);
}

#[test]
fn a_refused_write_after_reads_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    for open in [Database::open, Database::open_shared] {
        let database = open(&path).unwrap();
        database.create_schema(TABLE).unwrap();
        let before = count(&database);
        let refused: Result<(), DatabaseError> = database.read_and_write(|connection| {
            connection.query_row("SELECT count(*) FROM thing", [], |_| Ok(()))?;
            Err(rusqlite::Error::QueryReturnedNoRows.into())
        });
        assert!(refused.is_err());
        database
            .read_and_write(|connection| Ok::<_, DatabaseError>(insert(connection, 1)?))
            .unwrap();
        assert_eq!(count(&database), before + 1);
    }
}

#[test]
fn a_panic_inside_a_transaction_harms_only_its_caller() {
    let database = Database::in_memory().unwrap();
    database.create_schema(TABLE).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        database.transaction::<(), DatabaseError>(|connection| {
            insert(connection, 1)?;
            panic!("on purpose")
        })
    }));
    assert!(panicked.is_err());
    database
        .transaction::<_, DatabaseError>(|connection| Ok(insert(connection, 1)?))
        .unwrap();
    assert_eq!(count(&database), 1);
}

#[tokio::test]
async fn two_processes_on_one_file_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    // Two handles are two connections, which is what two processes are to SQLite.
    let databases = [
        Database::open(&path).unwrap(),
        Database::open(&path).unwrap(),
    ];
    databases[0].create_schema(TABLE).unwrap();
    std::thread::scope(|scope| {
        for database in &databases {
            scope.spawn(move || {
                for _ in 0..500 {
                    database
                        .transaction::<_, DatabaseError>(|connection| {
                            insert(connection, 1)?;
                            Ok(insert(connection, 1)?)
                        })
                        .unwrap();
                }
            });
        }
    });
    for database in &databases {
        CommitWatermark::from_now(database)
            .wait_durable()
            .await
            .unwrap();
    }
    assert_eq!(count(&databases[0]), 2000);
}

#[test]
fn the_log_is_folded_while_a_writer_never_rests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    let folds = || -> i64 {
        database
            .read(|c| {
                c.query_row("SELECT coalesce(max(folds), 0) FROM socar_fold", [], |r| {
                    r.get(0)
                })
            })
            .unwrap()
    };
    let started = Instant::now();
    while folds() < 2 {
        for _ in 0..100 {
            database
                .write(|connection| insert(connection, 16 * 1024))
                .unwrap();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "never folded");
    }
}

#[test]
fn everything_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    database.write(|connection| insert(connection, 10)).unwrap();
    drop(database);
    let database = Database::open(&path).unwrap();
    assert_eq!(count(&database), 1);
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    std::fs::write(
        &path,
        "this is not a database, whatever its name says".repeat(40),
    )
    .unwrap();
    let error = Database::open(&path).err().unwrap().to_string();
    assert!(error.contains("socar.db"), "{error}");
}

/// What another process finds in the file.
fn count_from_outside(path: &Path) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
        .query_row("SELECT count(*) FROM thing", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_settled_is_in_the_file_however_many_wait_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (database, path) = (database.clone(), path.clone());
        writers.spawn(async move {
            for written in 1..=20 {
                let call = CommitWatermark::from_now(&database);
                database.write(|connection| insert(connection, 1)).unwrap();
                call.wait_durable().await.unwrap();
                assert!(count_from_outside(&path) >= written);
            }
        });
    }
    writers.join_all().await;
    assert_eq!(count_from_outside(&path), 160);
}

#[test]
fn what_nobody_waits_for_is_in_the_file_soon() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    database.write(|connection| insert(connection, 1)).unwrap();
    let started = Instant::now();
    while count_from_outside(&path) == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "never committed"
        );
    }
}

#[tokio::test]
async fn a_full_disk_takes_nothing_that_was_settled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    database
        .read(|c| c.pragma_update_and_check(None, "max_page_count", 64, |_| Ok(())))
        .unwrap();
    let mut settled = 0;
    let mut lost = false;
    for size in [1, 1, 1 << 20, 1, 1 << 20, 1] {
        let call = CommitWatermark::from_now(&database);
        let written = database.write(|connection| insert(connection, size));
        match (call.wait_durable().await, written) {
            (Ok(()), Ok(())) => settled += 1,
            (Ok(()), Err(_)) => {}
            (Err(_), Ok(())) => panic!("a write of one byte was lost"),
            (Err(_), Err(_)) => lost = true,
        }
    }
    assert_eq!(count_from_outside(&path), settled);
    assert!(settled == 4, "{settled} settled, lost: {lost}");
}

#[test]
fn a_database_that_loses_what_is_written_says_so_until_it_keeps_something() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("socar.db")).unwrap();
    database.create_schema(TABLE).unwrap();
    assert!(database.check().is_ok());
    let can_write = |can: bool| {
        let connection = database.commits.lock();
        connection.pragma_update(None, "query_only", !can).unwrap();
    };
    // As a commit ends for which there is no room on the disk: SQLite rolls the whole batch back by itself.
    let write = database.write(|connection| {
        insert(connection, 1)?;
        connection.execute_batch("ROLLBACK")
    });
    write.unwrap();
    can_write(false);
    assert!(database.check().is_err());
    assert!(database.check().is_err());
    can_write(true);
    assert!(database.check().is_ok());
}

#[tokio::test]
async fn after_a_lost_batch_nothing_is_written_until_the_fence_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    database.fence().activate();
    let call = database.fence().call();
    let watermark = CommitWatermark::from_now(&database);
    database.write(|connection| insert(connection, 1)).unwrap();
    // As SQLite does by itself when there is no room for the batch on the disk.
    let lost = database.write(|connection| connection.execute_batch("ROLLBACK"));
    lost.unwrap();
    database.fence().closed().await;
    let refused = database.write(|connection| insert(connection, 1));
    assert!(matches!(refused, Err(DatabaseError::CommitFailed)));
    assert!(database.check().is_err());
    database.try_commit().unwrap();
    assert!(database.fence().has_earlier_calls());
    assert!(watermark.wait_durable().await.is_err());
    drop(call);
    assert!(!database.fence().has_earlier_calls());
    database.fence().open();
    keep(&database).await.unwrap();
    assert!(database.check().is_ok());
    assert_eq!(count_from_outside(&path), 1);
}

#[test]
fn a_statement_that_changes_nothing_is_executed_although_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view.db");
    let connection = connect(&path).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let fence = Arc::<WriteFence>::default();
    fence.activate();
    let writer = BatchedWriter::start(connection, identity, fence.clone()).unwrap();
    let execute = |statement: &str| {
        writer.write(|connection| Ok::<_, DatabaseError>(connection.execute_batch(statement)?))
    };
    let create = "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY)";
    let insert = "INSERT OR IGNORE INTO thing VALUES (1)";
    execute(create).unwrap();
    execute(insert).unwrap();
    writer.commit().unwrap();
    fence.close();
    execute(create).unwrap();
    execute(insert).unwrap();
    execute("DELETE FROM thing").unwrap_err();
    execute("CREATE TABLE IF NOT EXISTS other (id INTEGER)").unwrap_err();
    fence.open();
    execute("DELETE FROM thing").unwrap();
    execute("SELECT * FROM other").unwrap_err();
}

/// A constraint that rolls back stands for every statement that SQLite ends with a rollback, such as an interrupted one.
#[tokio::test]
async fn a_statement_that_undoes_its_batch_fails_its_callers_and_leaves_the_fence_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view.db");
    let connection = connect(&path).unwrap();
    let create = "CREATE TABLE thing (id INTEGER PRIMARY KEY ON CONFLICT ROLLBACK)";
    connection.execute_batch(create).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let fence = Arc::<WriteFence>::default();
    fence.activate();
    let writer = BatchedWriter::start(connection, identity, fence.clone()).unwrap();
    let insert = |id: i64| {
        writer.write(|connection| {
            let inserted = connection.execute("INSERT INTO thing VALUES (?1)", [id]);
            Ok::<_, DatabaseError>(inserted?)
        })
    };
    let mut lost = 0;
    for round in 1..=20 {
        let watermark = writer.watermark();
        insert(round * 2).unwrap();
        insert(round * 2 + 1).unwrap();
        insert(round * 2).unwrap_err();
        let is_durable = watermark.wait_durable().await.is_ok();
        let rows = count_from_outside(&path);
        lost += u32::from(!is_durable);
        assert!(!is_durable || rows > 1, "a lost write was confirmed");
    }
    assert!(lost > 0, "no batch was undone");
    assert!(fence.closed().now_or_never().is_none());
    insert(1).unwrap();
    writer.commit().unwrap();
}

/// SQLite notices damage when a statement reads the page.
#[test]
fn damage_that_a_statement_meets_fails_the_check_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let fill = "CREATE TABLE whole (id INTEGER PRIMARY KEY);
        CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB);
        INSERT INTO whole VALUES (1); INSERT INTO thing VALUES (1, x'00')";
    connect(&path).unwrap().execute_batch(fill).unwrap();
    let mut file = std::fs::read(&path).unwrap();
    // The third page is that of `thing`.
    file[8192..12288].fill(0x41);
    std::fs::write(&path, file).unwrap();
    let meet = |database: &Database, statement: &'static str, way: usize| {
        let execute = |connection: &Connection| connection.execute_batch(statement);
        match way {
            0 => database.read(execute),
            1 => database.write(execute),
            2 => database.transaction(|connection| Ok::<_, DatabaseError>(execute(connection)?)),
            _ => database.read_and_write(|connection| Ok::<_, DatabaseError>(execute(connection)?)),
        }
    };
    for way in 0..4 {
        let database = Database::open(&path).unwrap();
        meet(&database, "SELECT * FROM whole", way).unwrap();
        database.check().unwrap();
        // What the caller has done wrong is no damage.
        meet(&database, "SELECT * FROM absent", way).unwrap_err();
        database.check_damage().unwrap();
        meet(&database, "SELECT * FROM thing", way).unwrap_err();
        let cause = database.check().unwrap_err().to_string();
        assert!(
            cause.contains("socar.db is damaged") && cause.contains("restore the file"),
            "{cause}"
        );
        meet(&database, "SELECT * FROM whole", way).unwrap();
        database.check().unwrap_err();
    }
}

/// With `auto_vacuum`, a commit moves the last pages of the file, and needs the record of what they hold.
#[tokio::test]
async fn damage_that_a_commit_finds_fails_its_callers_and_leaves_the_fence_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view.db");
    let fill = "PRAGMA auto_vacuum = FULL;
        CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB);
        INSERT INTO thing VALUES (1, zeroblob(100000)), (2, zeroblob(100000))";
    Connection::open(&path)
        .unwrap()
        .execute_batch(fill)
        .unwrap();
    let mut file = std::fs::read(&path).unwrap();
    // The second page has five bytes for each page from the third on.
    let last = 4096 + 5 * (file.len() / 4096 - 3);
    file[last..last + 5].fill(0xff);
    std::fs::write(&path, file).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let fence = Arc::<WriteFence>::default();
    fence.activate();
    let connection = connect(&path).unwrap();
    let commits = Arc::new(GroupCommit::of_component(
        connection,
        identity,
        fence.clone(),
    ));
    let execute = |statement: &'static str| {
        let run = move |connection: &Connection| {
            Ok::<_, DatabaseError>(connection.execute_batch(statement)?)
        };
        commits.write(run)
    };
    let insert = "INSERT INTO thing (body) VALUES (x'00')";
    let watermark = CommitWatermark::of(commits.clone());
    execute(insert).unwrap();
    execute("DELETE FROM thing WHERE id = 1").unwrap();
    assert!(!commits.is_damaged());
    commits.commit_now().unwrap_err();
    assert!(
        watermark.wait_durable().await.is_err(),
        "a lost write was confirmed"
    );
    assert!(commits.is_damaged());
    assert!(
        fence.closed().now_or_never().is_none(),
        "the fence is closed"
    );
    execute(insert).unwrap();
    commits.commit_now().unwrap();
    assert_eq!(count_from_outside(&path), 3);
}

/// Damage in one file keeps the fence from being opened again as little as it closes it.
#[test]
fn a_damaged_file_does_not_keep_others_from_writing_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view.db");
    let connection = connect(&path).unwrap();
    let fill = "CREATE TABLE thing (id INTEGER PRIMARY KEY, body BLOB)";
    connection.execute_batch(fill).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let writer = BatchedWriter::start(connection, identity, Arc::default()).unwrap();
    // Another connection has written, so that SQLite reads the file again.
    let other = connect(&path).unwrap();
    let change = "INSERT INTO thing (body) VALUES (x'00'); PRAGMA wal_checkpoint(TRUNCATE)";
    other.execute_batch(change).unwrap();
    let mut file = std::fs::File::options().write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, &[0x41; 4096]).unwrap();
    let insert = "INSERT INTO thing (body) VALUES (x'00')";
    let inserted =
        writer.write(|connection| Ok::<_, DatabaseError>(connection.execute_batch(insert)?));
    assert!(inserted.unwrap_err().is_caused_by_statement());
    writer.try_commit().unwrap();
}

/// The fence closes for an open batch of another database, too.
#[test]
fn a_closed_fence_ends_the_open_batches_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view.db");
    let connection = connect(&path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let mode = CommitMode::Grouped;
    let commits = GroupCommit::new(connection, mode, Some(identity), Arc::default());
    commits.fence().activate();
    let execute = |statement: &'static str| {
        move |connection: &Connection| Ok::<_, DatabaseError>(connection.execute_batch(statement)?)
    };
    let insert = "INSERT INTO thing (body) VALUES (x'00')";
    let create = "CREATE INDEX IF NOT EXISTS things ON thing (body)";
    commits.write(execute(create)).unwrap();
    commits.write(execute(insert)).unwrap();
    commits.fence().close();
    let refused = commits.write(execute(insert));
    assert!(
        matches!(refused, Err(DatabaseError::CommitFailed)),
        "{refused:?}"
    );
    commits.write_one(execute(create)).unwrap();
    let refused = commits.write_one(execute(insert));
    assert!(
        matches!(refused, Err(DatabaseError::CommitFailed)),
        "{refused:?}"
    );
    commits.commit_now().unwrap();
    assert_eq!(count_from_outside(&path), 1);
}

/// Writes one row and waits until it is durable.
async fn keep(database: &Arc<Database>) -> Result<(), DatabaseError> {
    let watermark = CommitWatermark::from_now(database);
    database.write(|connection| insert(connection, 1))?;
    watermark.wait_durable().await
}

#[tokio::test]
async fn nothing_is_confirmed_after_the_file_was_removed_or_replaced() {
    type Harm = fn(&Path);
    let harms: [Harm; 4] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::remove_file(path.with_extension("db-wal")).unwrap(),
        |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, "another file").unwrap();
        },
        |path| {
            std::fs::rename(
                path.parent().unwrap(),
                path.parent().unwrap().with_extension("away"),
            )
            .unwrap()
        },
    ];
    for harm in harms {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state").join("socar.db");
        let database = Database::open(&path).unwrap();
        database.create_schema(TABLE).unwrap();
        keep(&database).await.unwrap();
        database.check().unwrap();
        harm(&path);
        assert!(keep(&database).await.is_err());
        let cause = database.check().unwrap_err().to_string();
        assert!(cause.contains("removed or replaced"), "{cause}");
    }
}

#[tokio::test]
async fn after_a_close_the_file_alone_holds_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    keep(&database).await.unwrap();
    // This write is not committed yet.
    database.write(|connection| insert(connection, 1)).unwrap();
    database.close().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let connection = Connection::open(&copy).unwrap();
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM thing", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn a_log_that_cannot_be_synced_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    let is_reported = || {
        let failure = "the write-ahead log cannot be synced: no descriptor".to_owned();
        if let Some(maintenance) = &*database.wal_maintenance.lock() {
            maintenance.set_failure(Some(failure));
        }
        matches!(database.check(), Err(DatabaseError::NotSynced(_)))
    };
    // The sync of the schema may end between the two calls. It is the only one that is due.
    assert!(is_reported() || is_reported());
    keep(&database).await.unwrap();
    let since = Instant::now();
    while database.check().is_err() {
        assert!(since.elapsed() < Duration::from_secs(60), "never synced");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A connection that refuses writes stands for a full disk.
#[test]
fn a_writer_whose_writes_fail_is_reported_until_one_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let connection = connect(&path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let writer = BatchedWriter::start(connection, identity, Arc::default()).unwrap();
    let write = || writer.write(|it| Ok::<_, DatabaseError>(insert(it, 1)?));
    let refuse_writes = |refused: bool| {
        let pause = writer.pause();
        pause
            .begin()
            .pragma_update(None, "query_only", refused)
            .unwrap();
    };
    write().unwrap();
    writer.check().unwrap();
    refuse_writes(true);
    for _ in 0..2 {
        assert!(write().is_err());
        assert!(writer.check().is_err());
        assert!(writer.check().is_err(), "without a further write");
    }
    refuse_writes(false);
    writer.check().unwrap();
    write().unwrap();
    writer.commit().unwrap();
    let version = connect(&path)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
    assert_eq!(version.unwrap(), 7, "a check changes nothing");
}

#[test]
fn a_write_that_is_alone_needs_no_further_statement() {
    static EXECUTED: AtomicU64 = AtomicU64::new(0);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let connection = connect(&path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    let count = |_: TraceEvent<'_>| {
        EXECUTED.fetch_add(1, Ordering::Relaxed);
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(count));
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let writer = BatchedWriter::start(connection, identity, Arc::default()).unwrap();
    for number in 1..=3 {
        std::thread::sleep(MAX_COMMIT_INTERVAL * 3);
        writer
            .write(|it| Ok::<_, DatabaseError>(insert(it, 1)?))
            .unwrap();
        assert_eq!(EXECUTED.load(Ordering::Relaxed), number);
        assert_eq!(count_from_outside(&path), i64::try_from(number).unwrap());
    }
}
