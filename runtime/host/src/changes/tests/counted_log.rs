//! An event log that counts the entries that are read from it.

use std::sync::atomic::{AtomicUsize, Ordering};

use event_log::{Continuity, Entry, EntryId, Fields, GroupState, LogError, Position, Progress};

use super::*;

pub struct CountedLog {
    log: Arc<dyn EventLog>,
    entries: AtomicUsize,
}

impl CountedLog {
    pub fn new(log: Arc<dyn EventLog>) -> Arc<Self> {
        let entries = AtomicUsize::default();
        Arc::new(Self { log, entries })
    }

    /// The number of entries that were read.
    pub fn entries(&self) -> usize {
        self.entries.load(Ordering::SeqCst)
    }
}

macro_rules! delegated {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait::async_trait]
        impl EventLog for CountedLog {
            async fn range(
                &self,
                stream: &str,
                from: EntryId,
                to: EntryId,
                limit: usize,
            ) -> Result<Vec<Entry>, LogError> {
                let entries = self.log.range(stream, from, to, limit).await?;
                self.entries.fetch_add(entries.len(), Ordering::SeqCst);
                Ok(entries)
            }

            fn progress(&self, stream: &str, group: &str) -> Option<Progress> {
                self.log.progress(stream, group)
            }

            fn forget(&self) {
                self.log.forget();
            }

            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, LogError> {
                self.log.$name($($argument),*).await
            })*
        }
    };
}

delegated! {
    history() -> String;
    append(stream: &str, fields: &Fields) -> EntryId;
    newest_ids(stream: &str, up_to: EntryId, limit: usize) -> Vec<EntryId>;
    length(stream: &str) -> u64;
    remove(stream: &str, id: EntryId) -> bool;
    subscribe(consumer: &Consumer) -> ();
    claim(consumer: &Consumer, limit: usize, wait: Duration) -> Vec<Delivery>;
    acknowledge(group: &str, positions: &[Position]) -> ();
    record_failure(group: &str, position: &Position, error: &str, retry_after: Duration) -> Option<u32>;
    park(group: &str, position: &Position, error: &str, attempts: u32) -> Option<EntryId>;
    heartbeat(consumer: &Consumer, consumer_timeout: Duration) -> usize;
    leave(consumer: &Consumer) -> ();
    delete_group(group: &str, streams: &[Arc<str>]) -> ();
    groups(stream: &str) -> Vec<GroupState>;
    acknowledged_up_to(stream: &str, group: &str) -> Option<EntryId>;
    resume(stream: &str, group: &str, kept: Progress) -> Continuity;
    trim(stream: &str, min_age: Duration, old: Option<EntryId>) -> u64;
    trimmed_up_to(stream: &str) -> Option<EntryId>;
    redrive(letter: EntryId) -> bool;
}
