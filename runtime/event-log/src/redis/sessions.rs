//! The heartbeats of consumers, which also decide whether a consumer is the sole one of its group.

use std::time::Duration;

use super::{RedisLog, consumer_arguments, milliseconds, scripts, stream_keys};
use crate::{Consumer, LogError};

impl RedisLog {
    pub(super) async fn record_heartbeat(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        let Some(reader) = self.sole_readers.of(consumer) else {
            return self.heartbeat_by_script(consumer, consumer_timeout).await;
        };
        if reader.take_look() && !reader.must_confirm() {
            // The reads of an evicted consumer fail.
            self.heartbeats
                .send(
                    &self.client,
                    &self.sole_readers,
                    &consumer.name,
                    consumer_timeout,
                )
                .await?;
            return Ok(0);
        }
        let _exclusive = reader.acknowledging.write().await;
        self.heartbeat_by_script(consumer, consumer_timeout).await
    }

    /// Records a heartbeat, takes over from silent consumers, and agrees with the server whether this is the sole
    /// consumer.
    pub(super) async fn heartbeat_by_script(
        &self,
        consumer: &Consumer,
        consumer_timeout: Duration,
    ) -> Result<usize, LogError> {
        let mut script = scripts::HEARTBEAT.prepare_invoke();
        stream_keys(&mut script, consumer.streams());
        consumer_arguments(&mut script, consumer);
        script.arg(milliseconds(consumer_timeout));
        let reply: Option<(usize, u8)> = self.client.invoke(&script).await?;
        let (taken_over, is_sole) = reply.ok_or_else(|| consumer.evicted())?;
        match (is_sole, self.sole_readers.of(consumer)) {
            (1, None) => self.sole_readers.begin(consumer, consumer_timeout),
            (1, Some(reader)) => {
                reader.note_inbox(1);
                reader.note_confirmed();
            }
            (_, _) => self.sole_readers.end(consumer),
        }
        Ok(taken_over)
    }
}
