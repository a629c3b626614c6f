use std::time::{Duration, Instant};

use super::*;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, body BLOB)";

fn count(database: &Database) -> i64 {
    database
        .with(|connection| connection.query_row("SELECT count(*) FROM thing", [], |r| r.get(0)))
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
    database.create(TABLE).unwrap();
    let refused: Result<(), DatabaseError> = database.transaction(|connection| {
        insert(connection, 1)?;
        Err(rusqlite::Error::QueryReturnedNoRows.into())
    });
    assert!(refused.is_err());
    assert_eq!(count(&database), 0);
}

#[test]
fn a_panic_inside_a_transaction_harms_only_its_caller() {
    let database = Database::in_memory().unwrap();
    database.create(TABLE).unwrap();
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

#[test]
fn two_processes_on_one_file_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    // Two handles are two connections, which is what two processes are to SQLite.
    let databases = [
        Database::open(&path).unwrap(),
        Database::open(&path).unwrap(),
    ];
    databases[0].create(TABLE).unwrap();
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
    assert_eq!(count(&databases[0]), 2000);
}

#[test]
fn the_log_is_folded_while_a_writer_never_rests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create(TABLE).unwrap();
    let folds = || -> i64 {
        database
            .with(|c| {
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
                .with(|connection| insert(connection, 16 * 1024))
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
    database.create(TABLE).unwrap();
    database.with(|connection| insert(connection, 10)).unwrap();
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
