//! What another program does to the files of an open database, and what SQLite does to them itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;

use super::*;

const INSERT: &str = "INSERT INTO thing (body) VALUES (zeroblob(20000))";

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

fn truncate(path: &Path, length: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
}

/// A database in a directory of its own, with one row.
async fn database_with_row() -> (Arc<Database>, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    let database = Database::open(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    keep(&database).await.unwrap();
    database.check().unwrap();
    (database, path, folder)
}

async fn failed_check(database: &Database) -> String {
    let since = Instant::now();
    loop {
        match database.check() {
            Err(error) => return error.to_string(),
            Ok(()) => assert!(since.elapsed() < Duration::from_secs(20), "never noticed"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn assert_file_is_whole(path: &Path) {
    let connection = Connection::open(path).unwrap();
    let result: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(result, "ok");
}

/// SQLite writes behind the end of the truncated log, which is then as long as before.
#[tokio::test]
async fn nothing_is_confirmed_after_the_log_was_truncated() {
    let (database, path, _folder) = database_with_row().await;
    truncate(&log_of(&path), 0);
    assert!(keep(&database).await.is_err(), "a lost write was confirmed");
    let cause = database.check().unwrap_err().to_string();
    assert!(cause.contains("socar.db-wal was truncated"), "{cause}");
    assert!(keep(&database).await.is_err(), "a lost write was confirmed");
    database.close().unwrap_err();
    drop(database);
    assert_file_is_whole(&path);
}

#[tokio::test]
async fn a_truncated_log_is_noticed_while_nothing_is_written() {
    for length in [0, 100, 5000] {
        let (database, path, _folder) = database_with_row().await;
        truncate(&log_of(&path), length);
        let cause = failed_check(&database).await;
        assert!(cause.contains("socar.db-wal was truncated"), "{cause}");
        assert!(keep(&database).await.is_err(), "a lost write was confirmed");
        database.close().unwrap_err();
        drop(database);
        assert_file_is_whole(&path);
    }
}

#[tokio::test]
async fn a_log_that_is_truncated_before_the_close_fails_it() {
    let (database, path, _folder) = database_with_row().await;
    truncate(&log_of(&path), 0);
    let closed = database.close();
    assert!(matches!(closed, Err(DatabaseError::Lost(_))), "{closed:?}");
    drop(database);
    assert_file_is_whole(&path);
}

#[tokio::test]
async fn a_log_that_is_removed_before_the_close_fails_it() {
    let (database, path, _folder) = database_with_row().await;
    fs::remove_file(log_of(&path)).unwrap();
    let closed = database.close();
    assert!(matches!(closed, Err(DatabaseError::Lost(_))), "{closed:?}");
    drop(database);
    // SQLite still has the log open.
    assert_eq!(count_from_outside(&path), 1);
}

#[tokio::test]
async fn nothing_is_confirmed_after_the_database_file_was_truncated() {
    let (database, path, _folder) = database_with_row().await;
    truncate(&path, 0);
    assert!(keep(&database).await.is_err(), "a lost write was confirmed");
    let cause = database.check().unwrap_err().to_string();
    assert!(cause.contains("socar.db was truncated"), "{cause}");
    database.close().unwrap_err();
}

/// Such a write needs no commit of its own.
#[test]
fn a_write_that_is_alone_fails_after_the_log_was_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.db");
    let connection = connect(&path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    let identity = Arc::new(FileIdentity::of(&path).unwrap());
    let fence = Arc::<WriteFence>::default();
    fence.activate();
    let writer = BatchedWriter::start(connection, identity, fence.clone()).unwrap();
    let write = || writer.write(|it| Ok::<_, DatabaseError>(insert(it, 1)?));
    write().unwrap();
    std::thread::sleep(MAX_COMMIT_INTERVAL * 3);
    truncate(&log_of(&path), 0);
    write().unwrap_err();
    assert!(fence.is_closed());
}

#[test]
fn each_write_to_a_shared_file_fails_after_its_log_was_truncated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.db");
    let database = Database::open_shared(&path).unwrap();
    database.create_schema(TABLE).unwrap();
    let write = || database.write(|connection| insert(connection, 1));
    write().unwrap();
    truncate(&log_of(&path), 0);
    write().unwrap_err();
    write().unwrap_err();
}

/// Statements of a component may do all this, and so may other programs on a shared file.
#[test]
fn what_sqlite_does_to_its_files_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.db");
    let connection = connect(&path).unwrap();
    let identity = FileIdentity::of(&path).unwrap();
    let check = || {
        identity.check().unwrap();
        identity.check_log(&connection).unwrap();
    };
    check();
    let other = connect(&path).unwrap();
    let statements = [
        TABLE,
        INSERT,
        INSERT,
        "PRAGMA wal_checkpoint(PASSIVE)",
        INSERT,
        "PRAGMA wal_checkpoint(TRUNCATE)",
        INSERT,
        "BEGIN; DELETE FROM thing; ROLLBACK",
        "DELETE FROM thing",
        "VACUUM",
        "PRAGMA journal_size_limit = 0",
        "PRAGMA wal_checkpoint(RESTART)",
        INSERT,
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ];
    for writer in [&connection, &other] {
        for statement in statements {
            writer.execute_batch(statement).unwrap();
            check();
        }
    }
}

#[test]
fn a_log_that_others_empty_at_any_moment_is_no_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.db");
    let connection = connect(&path).unwrap();
    connection.execute_batch(TABLE).unwrap();
    let identity = FileIdentity::of(&path).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let writer = connect(&path).unwrap();
            writer.pragma_update(None, "synchronous", "off").unwrap();
            let until = Instant::now() + Duration::from_secs(1);
            while Instant::now() < until {
                writer.execute_batch(INSERT).unwrap();
                let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
                writer.execute_batch(empty).unwrap();
            }
            is_over.store(true, Ordering::Release);
        });
        while !is_over.load(Ordering::Acquire) {
            identity.check().unwrap();
            identity.check_log(&connection).unwrap();
        }
    });
}

/// A power failure can leave a log without its header. SQLite ignores it, and begins a new one with the first write.
#[tokio::test]
async fn a_log_without_a_header_at_the_start_is_no_loss() {
    let (database, path, _folder) = database_with_row().await;
    drop(database);
    fs::write(log_of(&path), [0; 100_000]).unwrap();
    let database = Database::open(&path).unwrap();
    for _ in 0..20 {
        database.check().unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    keep(&database).await.unwrap();
    database.check().unwrap();
    assert_eq!(count(&database), 2);
}

/// A path to a file on another volume, which need not exist yet.
fn linked_file() -> (PathBuf, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (volume, state) = (folder.path().join("volume"), folder.path().join("state"));
    fs::create_dir(&volume).unwrap();
    fs::create_dir(&state).unwrap();
    let (file, link) = (volume.join("moved.db"), state.join("socar.db"));
    symlink(&file, &link).unwrap();
    (link, file, folder)
}

/// SQLite keeps the log beside the file, not beside the link.
#[tokio::test]
async fn nothing_is_confirmed_after_the_log_of_a_linked_file_was_removed() {
    let (link, file, _folder) = linked_file();
    let database = Database::open(&link).unwrap();
    database.create_schema(TABLE).unwrap();
    keep(&database).await.unwrap();
    database.check().unwrap();
    fs::remove_file(log_of(&file)).unwrap();
    assert!(keep(&database).await.is_err(), "a lost write was confirmed");
    let cause = database.check().unwrap_err().to_string();
    assert!(
        cause.contains("moved.db-wal was removed or replaced"),
        "{cause}"
    );
}

#[tokio::test]
async fn nothing_is_confirmed_after_the_link_leads_to_another_file() {
    let (link, file, _folder) = linked_file();
    let database = Database::open(&link).unwrap();
    database.create_schema(TABLE).unwrap();
    keep(&database).await.unwrap();
    let other = file.with_file_name("other.db");
    fs::copy(&file, &other).unwrap();
    fs::remove_file(&link).unwrap();
    symlink(&other, &link).unwrap();
    assert!(keep(&database).await.is_err(), "a lost write was confirmed");
    let cause = database.check().unwrap_err().to_string();
    assert!(
        cause.contains("socar.db was removed or replaced"),
        "{cause}"
    );
}

#[test]
fn the_writes_of_others_to_a_linked_file_are_noticed() {
    let (link, file, _folder) = linked_file();
    let database = Database::open_shared(&link).unwrap();
    database.create_schema(TABLE).unwrap();
    assert!(database.was_changed_by_others().unwrap());
    assert!(!database.was_changed_by_others().unwrap());
    connect(&file).unwrap().execute_batch(INSERT).unwrap();
    assert!(database.was_changed_by_others().unwrap());
}

/// SQLite removes the log with the connection that maintains it, which is the only one that has used the file.
#[tokio::test]
async fn a_file_that_nothing_was_written_to_is_closed_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socar.db");
    for open in [Database::open, Database::open_shared] {
        for _ in 0..2 {
            let database = open(&path).unwrap();
            database.check().unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            database.check().unwrap();
            database.close().unwrap();
        }
    }
}
