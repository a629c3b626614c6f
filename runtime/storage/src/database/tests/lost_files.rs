//! What another program does to the files of an open database.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const INSERT: &str = "INSERT INTO thing (body) VALUES (zeroblob(20000))";

fn log_of(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
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
