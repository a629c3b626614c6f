//! The heartbeats of consumers, and their end.

use std::time::Duration;

use super::{EmbeddedLog, group_rows, ids};
use crate::entry::now;
use crate::{Consumer, LogError};

/// The time between two writes of the heartbeat of a consumer: how exactly the silence of a host is known.
const SEEN_INTERVAL: Duration = Duration::from_secs(3600);

impl EmbeddedLog {
    /// Hands entries that another process has appended to the groups.
    fn notice_other_processes(&self) -> Result<(), LogError> {
        if self.database.was_changed_by_others()? {
            self.positions.lock().forget_tails();
        }
        Ok(())
    }

    pub(super) fn record_heartbeat(&self, consumer: &Consumer) -> Result<(), LogError> {
        self.notice_other_processes()?;
        let seen = now();
        let is_due = {
            let mut memory = self.positions.lock();
            let (group, _) = memory.of(consumer)?;
            group.seen = seen;
            let interval = ids::milliseconds(SEEN_INTERVAL);
            // The clock may have been set back since.
            let is_due = seen.abs_diff(group.seen_written) >= interval;
            if is_due {
                group.seen_written = seen;
            }
            is_due
        };
        if is_due {
            self.write_seen(consumer, ids::stored(seen))?;
        }
        Ok(())
    }

    pub(super) fn record_leave(&self, consumer: &Consumer) -> Result<(), LogError> {
        let seen = now();
        if let Ok((group, _)) = self.positions.lock().of(consumer) {
            group.seen = seen;
        }
        self.positions.write();
        self.write_seen(consumer, -ids::stored(seen))
    }

    fn write_seen(&self, consumer: &Consumer, seen: i64) -> Result<(), LogError> {
        self.database
            .transaction(|it| Ok(group_rows::write_seen(it, consumer, seen)?))
    }
}
