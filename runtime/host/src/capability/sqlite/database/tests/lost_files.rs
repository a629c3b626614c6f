//! What another program does to the files of a database.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const INSERT: &str = "INSERT INTO t VALUES (1)";

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
