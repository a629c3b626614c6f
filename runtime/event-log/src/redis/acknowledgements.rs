//! Acknowledgements: plain commands for what a sole consumer has read itself, scripts for everything else.

use std::collections::BTreeMap;

use redis::{Cmd, cmd};

use super::{RedisLog, scripts, ticket};
use crate::{LogError, Position};

impl RedisLog {
    pub(super) async fn acknowledge_pending(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<(), LogError> {
        let Some(reader) = self.sole_readers.of_group(group) else {
            return self.acknowledge_by_script(group, positions).await;
        };
        let _shared = reader.acknowledging.read().await;
        // A position is taken once: when the reply is lost, a script repeats the acknowledgement.
        let (read, others) = match self.sole_readers.of_group(group) {
            Some(reader) => reader.take_read(positions),
            None => (Vec::new(), positions.to_vec()),
        };
        self.acknowledge_by_script(group, &others).await?;
        self.acknowledge_plainly(group, &read).await
    }

    /// Acknowledges entries of which the server has no owner.
    pub(super) async fn acknowledge_plainly(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<(), LogError> {
        let commands = acknowledgements(group, positions);
        Ok(self.client.pipeline(&commands).await?)
    }

    pub(super) async fn acknowledge_by_script(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        let mut script = scripts::ACKNOWLEDGE.arg(group);
        for position in positions {
            script.arg(ticket(position));
        }
        self.client.invoke::<String>(&script).await?;
        Ok(())
    }

    /// Makes scripts acknowledge an entry from now on.
    pub(super) fn leave_to_scripts(&self, group: &str, position: &Position) {
        if let Some(reader) = self.sole_readers.of_group(group) {
            reader.forget(position);
        }
    }
}

/// One `XACK` for each stream.
fn acknowledgements(group: &str, positions: &[Position]) -> Vec<Cmd> {
    let mut streams: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Position { stream, id } in positions {
        streams.entry(stream).or_default().push(id.to_string());
    }
    let acknowledge = |(stream, ids): (&str, Vec<String>)| {
        let mut acknowledge = cmd("XACK");
        acknowledge.arg(stream).arg(group).arg(ids);
        acknowledge
    };
    streams.into_iter().map(acknowledge).collect()
}
