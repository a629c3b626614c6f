//! How a consumer claims entries: by a script, or as the sole consumer of its group.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::reply::{self, ClaimRow};
use super::sole_reader::{ReadEntries, SoleReader};
use super::{RedisLog, consumer_arguments, scripts, stream_keys};
use crate::entry::event_type;
use crate::{Consumer, Delivery, LogError};

/// The largest number of entries of each stream that one script claims; bounds the time that other clients wait for it.
const MAX_CLAIMED: usize = 32;

/// What a script has claimed.
struct Claimed {
    /// The number of entries that scripts have left for this consumer.
    left: usize,
    /// Whether there were entries that the group does not handle, and so perhaps more behind them.
    has_skipped: bool,
    wanted: Vec<Delivery>,
}

impl RedisLog {
    pub(super) async fn claim_or_wait(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let claimed = self.claim_in_any_way(consumer, limit, wait).await?;
        self.histories.note_read(consumer, &claimed);
        Ok(claimed)
    }

    async fn claim_in_any_way(
        &self,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let deadline = Instant::now() + wait;
        if let Some(reader) = self.sole_readers.of(consumer) {
            return self.claim_alone(&reader, consumer, limit, wait).await;
        }
        loop {
            let appended = self.notifier.appended();
            tokio::pin!(appended);
            appended.as_mut().enable();
            let Claimed {
                left,
                has_skipped,
                wanted: claimed,
            } = self.claim_by_script(consumer, limit).await?;
            if claimed.is_empty() && (left > 0 || has_skipped) {
                continue;
            }
            if !claimed.is_empty() || !self.notifier.wait(appended, deadline).await {
                return Ok(claimed);
            }
        }
    }

    /// Claims with a script.
    async fn claim_by_script(
        &self,
        consumer: &Consumer,
        limit: usize,
    ) -> Result<Claimed, LogError> {
        let mut script = scripts::CLAIM.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        script.arg(limit.min(MAX_CLAIMED));
        let claimed: Option<(usize, Vec<ClaimRow>)> = self.client.invoke(&script).await?;
        let (left, rows) = claimed.ok_or_else(|| consumer.evicted())?;
        let rows = rows.into_iter().map(|row| reply::delivery(consumer, row));
        let claimed: Vec<Delivery> = rows.collect::<Result<_, _>>()?;
        let (wanted, others): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|delivery| {
            let event = delivery.event.as_deref().unwrap_or_default();
            consumer.handles(event_type(event).as_deref())
        });
        let others: Vec<_> = others.into_iter().map(|other| other.position).collect();
        self.acknowledge_by_script(&consumer.group, &others).await?;
        Ok(Claimed {
            left,
            has_skipped: !others.is_empty(),
            wanted,
        })
    }

    /// Claims what a sole consumer has in its inbox, then what it reads.
    async fn claim_alone(
        &self,
        reader: &SoleReader,
        consumer: &Consumer,
        limit: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, LogError> {
        let mut claimed = Vec::new();
        // The entries of an inbox may have been acknowledged meanwhile; new entries come after the last of them.
        while reader.has_inbox.load(Ordering::Acquire) && claimed.is_empty() {
            let of_inbox = self.claim_by_script(consumer, limit).await?;
            reader.note_inbox(of_inbox.left);
            claimed = of_inbox.wanted;
        }
        if reader.has_inbox.load(Ordering::Acquire) || claimed.len() >= limit {
            return Ok(claimed);
        }
        let wait = if claimed.is_empty() {
            wait
        } else {
            Duration::ZERO
        };
        loop {
            let read = reader.read(&self.client, limit, wait).await;
            if let Err(LogError::Evicted { .. }) = read {
                self.sole_readers.end(consumer);
            }
            let ReadEntries {
                deliveries,
                others,
                has_company,
            } = read?;
            let skipped = !others.is_empty();
            self.acknowledge_plainly(&consumer.group, &others).await?;
            if has_company {
                let _exclusive = reader.acknowledging.write().await;
                self.heartbeat_by_script(consumer, reader.consumer_timeout)
                    .await?;
            }
            claimed.extend(deliveries);
            if !claimed.is_empty() || has_company || !skipped {
                return Ok(claimed);
            }
        }
    }
}
