//! What becomes of a pending entry: it is acknowledged, fails, or is parked.

use std::time::Duration;

use super::ids::{milliseconds, pack};
use super::{EmbeddedLog, entries, pending_rows};
use crate::consumer::redrive_stream;
use crate::entry::now;
use crate::{DEAD_LETTERS, EntryId, Fields, LogError, Position, dead_letters};

impl EmbeddedLog {
    /// Acknowledges entries. Only those with a row, or in a stream of redriven letters, cost statements.
    pub(super) fn acknowledge_pending(
        &self,
        group: &str,
        positions: &[Position],
    ) -> Result<(), LogError> {
        if positions.is_empty() {
            return Ok(());
        }
        let redriven = redrive_stream(group);
        let needs_statement = {
            let memory = self.positions.lock();
            let group = memory.groups.get(group);
            let has_row = |position: &Position| {
                let cursor = group.and_then(|group| group.cursor(&position.stream));
                cursor.is_some_and(|cursor| cursor.is_recorded(pack(position.id)))
            };
            let needs = |it: &&Position| *it.stream == *redriven || has_row(it);
            let positions = positions.iter().filter(needs);
            positions.cloned().collect::<Vec<_>>()
        };
        if !needs_statement.is_empty() {
            self.database.transaction(|connection| {
                for Position { stream, id } in &needs_statement {
                    pending_rows::remove_pending(connection, group, stream, pack(*id))?;
                    // Only this group reads its redriven letters.
                    if **stream == *redriven {
                        entries::remove(connection, stream, *id)?;
                    }
                }
                Ok::<_, LogError>(())
            })?;
        }
        self.note_acknowledged(group, positions);
        Ok(())
    }

    fn note_acknowledged(&self, group: &str, positions: &[Position]) {
        if let Some(group) = self.positions.lock().groups.get_mut(group) {
            for position in positions {
                if let Some(cursor) = group.cursor_mut(&position.stream) {
                    cursor.acknowledge(pack(position.id));
                }
            }
        }
        self.positions.note_change();
    }

    pub(super) fn record_failed_attempt(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        retry_after: Duration,
    ) -> Result<Option<u32>, LogError> {
        let due = now().saturating_add(milliseconds(retry_after));
        let id = pack(position.id);
        Ok(self.database.write(|connection| {
            let mut memory = self.positions.lock();
            let Some(group) = memory.groups.get_mut(group) else {
                return Ok(None);
            };
            let Some(pending) = group.pending(position, id).cloned() else {
                return Ok(None);
            };
            let attempts = pending.attempts.saturating_add(1);
            let entry = (&*position.stream, id);
            let attempt = (&*pending.lane, attempts, due);
            pending_rows::write_failure(connection, group, entry, attempt, error)?;
            if let Some(cursor) = group.cursor_mut(&position.stream) {
                cursor.record(id, attempts, due);
            }
            Ok(Some(attempts))
        })?)
    }

    pub(super) fn park_pending(
        &self,
        group: &str,
        position: &Position,
        error: &str,
        attempts: u32,
    ) -> Result<Option<EntryId>, LogError> {
        let id = pack(position.id);
        let lane = {
            let memory = self.positions.lock();
            let group = memory.groups.get(group);
            let pending = group.and_then(|group| group.pending(position, id));
            pending.map(|pending| pending.lane.clone())
        };
        let Some(lane) = lane else { return Ok(None) };
        let letter = self.database.transaction(|connection| {
            let stream = &position.stream;
            let original = entries::range(connection, stream, position.id, position.id, 1)?.pop();
            let original = match original {
                Some(row) => row.decode(stream)?.fields,
                None => Fields::new(),
            };
            let letter = dead_letters::fields(group, position, &lane, error, attempts, original);
            let last_id = &self.last_id;
            let letter = entries::insert(connection, last_id, DEAD_LETTERS, DEAD_LETTERS, &letter)?;
            pending_rows::remove_pending(connection, group, stream, id)?;
            if **stream == *redrive_stream(group) {
                entries::remove(connection, stream, position.id)?;
            }
            Ok::<_, LogError>(letter)
        })?;
        self.note_acknowledged(group, std::slice::from_ref(position));
        Ok(Some(letter))
    }
}
