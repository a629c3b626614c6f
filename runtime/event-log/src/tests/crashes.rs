//! The embedded log after a crash, and beside another process: what is in memory only may be lost at any time.

use std::path::Path;

use tempfile::TempDir;

use super::*;
use storage::database::{CommitWatermark, Database};

/// A log in a file, which a test can copy as a crash would leave it.
struct File {
    folder: TempDir,
    fixture: Fixture,
    log: Arc<EmbeddedLog>,
    database: Arc<Database>,
}

impl File {
    fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap())
    }

    fn open_in(folder: TempDir) -> Self {
        let database = Database::open(&folder.path().join("socar.db")).unwrap();
        let log = Arc::new(EmbeddedLog::open(database.clone()).unwrap());
        Self {
            folder,
            fixture: Fixture::of(log.clone(), Box::new(())),
            log,
            database,
        }
    }

    /// The log as another process finds it if this one ends now, without any of its memory.
    fn crashed(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in ["socar.db", "socar.db-wal"] {
            let from = self.folder.path().join(file);
            if from.exists() {
                std::fs::copy(from, folder.path().join(file)).unwrap();
            }
        }
        Self::open_in(folder)
    }

    /// Waits until the log has written the positions by itself, and commits them.
    async fn settle(&self) {
        let began = std::time::Instant::now();
        while self.log.has_unwritten_positions() {
            assert!(began.elapsed() < LONG_TIMEOUT, "never written");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let watermark = CommitWatermark::from_now(&self.database);
        watermark.wait_durable().await.unwrap();
    }
}

fn open(folder: &Path) -> Fixture {
    let database = Database::open(&folder.join("socar.db")).unwrap();
    Fixture::of(Arc::new(EmbeddedLog::open(database).unwrap()), Box::new(()))
}

#[tokio::test]
async fn what_was_acknowledged_before_a_crash_stays_acknowledged() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a", "b", "c", "d"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed[..2]).await;
    file.settle().await;
    let restarted = file.crashed();
    let consumer = restarted.fixture.subscribed("message", "host").await;
    assert_eq!(numbers(&restarted.fixture.claim(&consumer).await), [3, 4]);
}

#[tokio::test]
async fn a_crash_before_the_positions_are_written_loses_no_entry() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a", "b", "c"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed[..1]).await;
    let restarted = file.crashed();
    let consumer = restarted.fixture.subscribed("message", "host").await;
    let again = numbers(&restarted.fixture.claim(&consumer).await);
    assert_eq!(again[again.len() - 2..], [2, 3]);
}

/// A group that has moved past an entry of a lost batch is further than one that has not seen it.
#[tokio::test(flavor = "multi_thread")]
async fn groups_at_different_positions_outlive_a_lost_batch() {
    let file = File::open();
    let fixture = &file.fixture;
    let moved = consumer("car", "host").with_event_types(Some(["other".to_owned()].into()));
    fixture.log.subscribe(&moved).await.unwrap();
    let behind = fixture.subscribed("message", "host").await;
    for consumer in [&moved, &behind] {
        assert!(fixture.claim(consumer).await.is_empty());
    }
    let json = serde_json::json!({"id": "1", "subject": "a", "type": "one"}).to_string();
    let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(json))];
    fixture.log.append(STREAM, &fields).await.unwrap();
    // As SQLite does by itself when there is no room for the batch on the disk.
    let lost = file
        .database
        .write(|connection| connection.execute_batch("ROLLBACK"));
    lost.unwrap();
    // The entry was moved past, and acknowledged entries may be lost: the consumers begin from what the database holds.
    for consumer in [&moved, &behind] {
        let claimed = fixture.log.claim(consumer, 10, AT_ONCE).await;
        assert!(matches!(claimed, Err(LogError::Evicted { .. })));
        fixture.log.subscribe(consumer).await.unwrap();
    }
    let log = file.log.clone();
    let both = [moved, behind.clone()];
    let claims = tokio::spawn(async move {
        let mut claimed = 0;
        for consumer in both {
            claimed += log.claim(&consumer, 10, AT_ONCE).await.unwrap().len();
        }
        claimed
    });
    let claimed = tokio::time::timeout(Duration::from_secs(10), claims).await;
    assert_eq!(claimed.expect("the claims end").unwrap(), 0);
    fixture.publish(&["b"]).await;
    assert_eq!(fixture.claim(&behind).await.len(), 1);
}

/// What an event has caused may be in the lost batch, so an acknowledgement before it does not count.
#[tokio::test]
async fn an_entry_that_was_acknowledged_before_a_lost_batch_is_delivered_again() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    assert_eq!(numbers(&claimed), [1]);
    let effect = file
        .database
        .write(|connection| connection.execute_batch("CREATE TABLE effect (id INTEGER)"));
    effect.unwrap();
    file.fixture.acknowledge(&consumer, &claimed).await;
    let lost = file
        .database
        .write(|connection| connection.execute_batch("ROLLBACK"));
    lost.unwrap();
    let consumer = file.fixture.subscribed("message", "host").await;
    assert_eq!(numbers(&file.fixture.claim(&consumer).await), [1]);
}

/// The order within a lane holds, whichever of the entries have rows.
#[tokio::test]
async fn failed_attempts_and_the_order_outlive_a_crash() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a", "b", "a", "b", "a"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed[1..2]).await;
    let failed = &claimed[3].position;
    let log = &file.fixture.log;
    for attempts in 1..=2 {
        let recorded = log
            .record_failure("message", failed, "refused", LONG_TIMEOUT)
            .await;
        assert_eq!(recorded.unwrap(), Some(attempts));
    }
    file.settle().await;
    let restarted = file.crashed();
    let consumer = restarted.fixture.subscribed("message", "host").await;
    let again = restarted.fixture.claim(&consumer).await;
    // The second entry is above the position, which the first one holds back.
    assert_eq!(numbers(&again), [1, 2, 3, 4, 5]);
    assert_eq!((again[3].attempts, again[2].attempts), (2, 0));
    assert!(again[3].due_in > LONG_TIMEOUT / 2);
    restarted.fixture.acknowledge(&consumer, &again).await;
    let state = restarted.fixture.state("message").await;
    assert_eq!((state.pending, state.lag), (0, 0));
    restarted.settle().await;
    let restarted = restarted.crashed();
    let consumer = restarted.fixture.subscribed("message", "host").await;
    assert_eq!(restarted.fixture.claim(&consumer).await, []);
}

#[tokio::test]
async fn one_stuck_entry_makes_a_crash_repeat_few_others() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a"; 1000]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed[1..]).await;
    file.settle().await;
    let restarted = file.crashed();
    let consumer = restarted.fixture.subscribed("message", "host").await;
    assert_eq!(numbers(&restarted.fixture.claim(&consumer).await), [1]);
    // The entry is older than those that may be removed.
    let trimmed = restarted
        .fixture
        .log
        .trim(STREAM, AT_ONCE, None)
        .await
        .unwrap();
    assert_eq!(trimmed, 0);
}

#[tokio::test]
async fn an_entry_of_another_process_is_delivered_after_a_heartbeat() {
    let file = File::open();
    let consumer = file.fixture.subscribed("message", "host").await;
    file.fixture.publish(&["a"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed).await;
    file.fixture
        .log
        .heartbeat(&consumer, LONG_TIMEOUT)
        .await
        .unwrap();
    file.settle().await;
    let other = open(file.folder.path());
    other.log.append(STREAM, &event("b", 2)).await.unwrap();
    drop(other);
    let log = file.fixture.log.clone();
    let waiting = {
        let consumer = consumer.clone();
        tokio::spawn(async move { log.claim(&consumer, 10, LONG_TIMEOUT).await.unwrap() })
    };
    file.fixture
        .log
        .heartbeat(&consumer, LONG_TIMEOUT)
        .await
        .unwrap();
    assert_eq!(numbers(&waiting.await.unwrap()), [2]);
}

#[tokio::test]
async fn a_letter_that_another_process_redrives_is_delivered_after_a_heartbeat() {
    let file = File::open();
    let log = &file.fixture.log;
    let consumer = file.fixture.subscribed("message", "host").await;
    log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
    file.fixture.publish(&["a"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    let letter = file.fixture.parked(&consumer, &claimed[0], "x").await;
    file.settle().await;
    let claim = async |wait| log.claim(&consumer, 10, wait).await.unwrap();
    assert_eq!(claim(AT_ONCE).await, []);
    for _ in 0..2 {
        log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
        assert_eq!(claim(Duration::from_millis(20)).await, []);
    }
    let other = open(file.folder.path());
    assert!(other.log.redrive(letter).await.unwrap());
    drop(other);
    log.heartbeat(&consumer, LONG_TIMEOUT).await.unwrap();
    assert_eq!(numbers(&claim(AT_ONCE).await), [1]);
}

/// A power failure may have taken the last rows of a read model, which are in another file.
#[tokio::test]
async fn a_read_model_reads_the_last_seconds_again_after_a_crash() {
    let file = File::open();
    let consumer = file.fixture.subscribed("viewpage@host", "host").await;
    file.fixture.publish(&["a", "b"]).await;
    let claimed = file.fixture.claim(&consumer).await;
    file.fixture.acknowledge(&consumer, &claimed).await;
    file.settle().await;
    let crashed = file.crashed();
    let consumer = crashed.fixture.subscribed("viewpage@host", "host").await;
    let again = crashed.fixture.claim(&consumer).await;
    assert_eq!(numbers(&again), [1, 2]);
    crashed.fixture.acknowledge(&consumer, &again).await;
    crashed.fixture.log.leave(&consumer).await.unwrap();
    crashed.settle().await;
    let restarted = crashed.crashed();
    let consumer = restarted.fixture.subscribed("viewpage@host", "host").await;
    assert_eq!(restarted.fixture.claim(&consumer).await, []);
}
