//! Keeping the log short, for who wants that: everything is kept unless a retention is set.
//!
//! An entry goes when it is old enough and every group has acknowledged it, so a group that nobody
//! is a consumer of any more would keep everything. The groups of single hosts (`component@host`)
//! are dropped when their host has been silent for [`Retention::forget`]; a host that comes back
//! after that has to rebuild its read models.

use std::sync::Arc;
use std::time::Duration;

use super::entry::now;
use super::{EventLog, GroupState, LogError, redrive_stream};

/// What is kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long an entry is kept at least.
    pub keep: Duration,
    /// How long the group of a single host is waited for.
    pub forget: Duration,
}

impl Retention {
    /// Removes what need not be kept, and answers how many entries that were. To be called now and
    /// then, by any host.
    ///
    /// # Errors
    /// If the log fails.
    pub async fn enforce(&self, log: &dyn EventLog, streams: &[&str]) -> Result<u64, LogError> {
        let mut removed = 0;
        for stream in streams {
            for state in log.groups(stream).await? {
                if self.is_gone(&state) {
                    self.drop_group(log, &state.group, streams).await?;
                }
            }
        }
        for stream in streams {
            loop {
                let some = log.trim(stream, self.keep).await?;
                if some == 0 {
                    break;
                }
                removed += some;
            }
        }
        Ok(removed)
    }

    fn is_gone(&self, state: &GroupState) -> bool {
        let silent = state.seen.map(|seen| now().saturating_sub(seen));
        let too_long = |silent| u128::from(silent) > self.forget.as_millis();
        state.group.contains('@') && silent.is_some_and(too_long)
    }

    async fn drop_group(
        &self,
        log: &dyn EventLog,
        group: &str,
        streams: &[&str],
    ) -> Result<(), LogError> {
        tracing::info!(group, "forgetting a group whose host is gone");
        let redriven = redrive_stream(group);
        let streams = streams.iter().copied().chain([&*redriven]);
        log.forget(group, &streams.map(Arc::from).collect::<Vec<_>>())
            .await
    }
}
