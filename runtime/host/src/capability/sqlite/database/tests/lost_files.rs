//! What another program does to the files of a database, and what statements do to them.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const INSERT: &str = "INSERT INTO t VALUES (1)";

/// Whether a call confirms a write.
async fn is_confirmed(session: &DatabaseSession) -> bool {
    let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
    let insert = session.execute(INSERT, &[], soon(), Some(&call));
    insert.await.is_ok() && call.wait_durable().await.is_ok()
}

fn truncate(path: &Path) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(0).unwrap();
}

#[tokio::test]
async fn nothing_is_confirmed_after_the_log_was_truncated() {
    let (database, directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    assert!(is_confirmed(&session).await);
    database.check().unwrap();
    truncate(&directory.path().join("sqlite/rows.db-wal"));
    assert!(!is_confirmed(&session).await);
    let cause = database.check().unwrap_err().to_string();
    assert!(cause.contains("rows.db-wal was truncated"), "{cause}");
    database.close().unwrap_err();
}

/// The file that remains is that of the last checkpoint.
#[tokio::test]
async fn a_truncated_log_is_not_copied_into_the_file_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.db");
    let shared = GuestDatabase::open(&path, FileAttachment::Denied).unwrap();
    let session = shared.session().unwrap();
    run(&session, "CREATE TABLE t(a)").await.unwrap();
    run(&session, "PRAGMA wal_checkpoint(TRUNCATE)")
        .await
        .unwrap();
    run(&session, INSERT).await.unwrap();
    shared.check().unwrap();
    truncate(&path.with_extension("db-wal"));
    // SQLite may or may not need a page of the log for this.
    let _ = run(&session, INSERT).await;
    shared.close().unwrap_err();
    drop(session);
    drop(shared);
    let outside = Connection::open(&path).unwrap();
    assert_eq!(kept(&outside), 0);
    let check = "PRAGMA integrity_check";
    let result: String = outside.query_row(check, [], |row| row.get(0)).unwrap();
    assert_eq!(result, "ok");
}

#[tokio::test]
async fn a_log_that_statements_empty_is_no_loss() {
    let (database, _directory) = database();
    let session = with_table(&database, "CREATE TABLE t(a)").await;
    let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
    for statement in [INSERT, empty, INSERT, INSERT, empty] {
        run(&session, statement).await.unwrap();
        database.check().unwrap();
        // The thread that maintains the log looks at it meanwhile.
        tokio::time::sleep(Duration::from_millis(300)).await;
        database.check().unwrap();
    }
    assert!(is_confirmed(&session).await);
    database.close().unwrap();
}

/// SQLite keeps the log beside the file, not beside the link.
#[tokio::test]
async fn the_lost_log_of_a_linked_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    for (number, is_batched) in [true, false].into_iter().enumerate() {
        let file = directory.path().join(format!("moved-{number}.db"));
        let link = directory.path().join(format!("state/{number}.db"));
        fs::create_dir_all(directory.path().join("state")).unwrap();
        symlink(&file, &link).unwrap();
        let database = match is_batched {
            true => GuestDatabase::open_batched(&link, Arc::default()).unwrap(),
            false => GuestDatabase::open(&link, FileAttachment::Denied).unwrap(),
        };
        let session = with_table(&database, "CREATE TABLE t(a)").await;
        run(&session, INSERT).await.unwrap();
        database.check().unwrap();
        assert_eq!(session.path(), file.canonicalize().unwrap());
        fs::remove_file(file.with_extension("db-wal")).unwrap();
        let cause = database.check().unwrap_err().to_string();
        assert!(cause.contains("db-wal was removed or replaced"), "{cause}");
    }
}
