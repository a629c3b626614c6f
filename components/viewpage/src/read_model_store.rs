//! The generations of the read model in one database: the active one serves queries, and a rebuild fills the next.
//!
//! During a rebuild every event goes to both generations, so the new one lacks nothing when it becomes active. The switch
//! is one statement, so each query is served by exactly one generation. Generation numbers are not reused: a late writer
//! addresses tables that are gone, and fails, instead of writing into a later rebuild.

use crate::{
    generation::{ReadModelGeneration, SCHEMA_VERSION},
    ports::{Database, DatabaseError},
    read_model::ReadModel,
    sql_value::SqlValue,
};
use events::CloudEvent;
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
};

const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS generations (
      shape TEXT PRIMARY KEY, answering INTEGER NOT NULL, filling INTEGER, newest INTEGER NOT NULL)";

const INSERT_FIRST: &str = "INSERT OR IGNORE INTO generations VALUES (?1, 0, NULL, 0)";

const SELECT: &str = "SELECT answering, filling FROM generations WHERE shape = ?1";

const BEGIN_REBUILD: &str = "
    UPDATE generations SET newest = newest + 1, filling = newest + 1 WHERE shape = ?1
    RETURNING answering, filling";

const ACTIVATE: &str = "
    UPDATE generations SET answering = filling, filling = NULL
    WHERE shape = ?1 AND filling IS NOT NULL RETURNING answering, filling";

const ABANDON: &str = "
    UPDATE generations SET filling = NULL WHERE shape = ?1 RETURNING answering, filling";

/// Every table and view of this schema version, views first: DROP TABLE drops indexes and triggers too, and leaves the
/// views that read the table.
const DROPPABLE: &str = "
    SELECT type, name FROM sqlite_schema
    WHERE type IN ('table', 'view') AND (name GLOB ?1 || '_*' OR name GLOB ?1 || 'r[0-9]*_*')
    ORDER BY type DESC";

/// All generations in one database.
pub struct ReadModelStore<D> {
    database: D,
    /// The generations whose tables are known to be complete.
    complete: RefCell<BTreeSet<ReadModelGeneration>>,
    /// The active generation at the last look, if no rebuild was under way then.
    settled: Cell<Option<ReadModelGeneration>>,
}

/// The row of the table `generations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GenerationState {
    active: ReadModelGeneration,
    building: Option<ReadModelGeneration>,
}

impl<D: Database> ReadModelStore<D> {
    /// Opens the generations in `database`; a new database gets the first one.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn open(database: D) -> Result<Self, DatabaseError> {
        database.run(CREATE, &[]).await?;
        database.run(INSERT_FIRST, &[SCHEMA_VERSION.into()]).await?;
        Ok(Self {
            database,
            complete: RefCell::default(),
            settled: Cell::default(),
        })
    }

    /// The database.
    pub fn database(&self) -> &D {
        &self.database
    }

    /// The generation that serves queries.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn active(&self) -> Result<ReadModel<&D>, DatabaseError> {
        self.model(self.state().await?.active).await
    }

    /// The generation that a rebuild fills; `None` without a rebuild.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn building(&self) -> Result<Option<ReadModel<&D>>, DatabaseError> {
        match self.state().await?.building {
            Some(building) => Ok(Some(self.model(building).await?)),
            None => Ok(None),
        }
    }

    /// Projects an event into the active generation, and into the one that a rebuild fills. Idempotent.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails. The event may then be projected, and must be delivered again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        if let Some(settled) = self.settled.get() {
            let model = self.model(settled).await?;
            // After another instance has switched, the tables of this generation may be gone: that is no failure.
            if matches!(model.project_if_settled(event).await, Ok(true)) {
                return Ok(());
            }
        }
        let state = self.state().await?;
        self.model(state.active).await?.project(event).await?;
        match state.building {
            Some(building) => self.model(building).await?.project(event).await,
            None => Ok(()),
        }
    }

    /// Creates an empty generation for a rebuild, in place of any other that was being filled. From now on it gets every
    /// event.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn begin_rebuild(&self) -> Result<ReadModelGeneration, DatabaseError> {
        let state = self.query_state(BEGIN_REBUILD).await?;
        let building = state.and_then(|state| state.building);
        let building = building.ok_or_else(no_state)?;
        self.model(building).await?;
        Ok(building)
    }

    /// Makes the filled generation active, and returns it; `None` without a rebuild.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn activate(&self) -> Result<Option<ReadModelGeneration>, DatabaseError> {
        let state = self.query_state(ACTIVATE).await?;
        Ok(state.map(|state| state.active))
    }

    /// Ends the rebuild without activating its generation.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn abandon(&self) -> Result<(), DatabaseError> {
        self.query_state(ABANDON).await.map(drop)
    }

    /// Drops every generation that is neither active nor being filled. The caller makes sure that no query still reads
    /// one of them.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn drop_unused(&self) -> Result<(), DatabaseError> {
        let state = self.state().await?;
        let used = [Some(state.active), state.building];
        let used = used
            .into_iter()
            .flatten()
            .map(|generation| format!("{}_", generation.prefix()));
        let used: Vec<String> = used.collect();
        for row in self
            .database
            .run(DROPPABLE, &[SCHEMA_VERSION.into()])
            .await?
        {
            let [SqlValue::Text(kind), SqlValue::Text(name)] = &row[..] else {
                continue;
            };
            if !used.iter().any(|prefix| name.starts_with(prefix)) {
                let drop = format!("DROP {kind} IF EXISTS {name}");
                self.database.run(&drop, &[]).await?;
            }
        }
        Ok(())
    }

    async fn model(&self, generation: ReadModelGeneration) -> Result<ReadModel<&D>, DatabaseError> {
        if self.complete.borrow().contains(&generation) {
            return Ok(ReadModel::complete(&self.database, generation));
        }
        let model = ReadModel::open(&self.database, generation).await?;
        self.complete.borrow_mut().insert(generation);
        Ok(model)
    }

    async fn state(&self) -> Result<GenerationState, DatabaseError> {
        self.query_state(SELECT).await?.ok_or_else(no_state)
    }

    /// Runs a statement that returns the state, if it finds a row.
    async fn query_state(&self, statement: &str) -> Result<Option<GenerationState>, DatabaseError> {
        let rows = self
            .database
            .run(statement, &[SCHEMA_VERSION.into()])
            .await?;
        let state = match rows.first().map(Vec::as_slice) {
            Some([SqlValue::Number(active), building]) => Some(GenerationState {
                active: numbered(*active),
                building: match building {
                    SqlValue::Number(building) => Some(numbered(*building)),
                    _ => None,
                },
            }),
            _ => None,
        };
        let settled = state.filter(|state| state.building.is_none());
        self.settled.set(settled.map(|state| state.active));
        Ok(state)
    }
}

fn numbered(number: i64) -> ReadModelGeneration {
    ReadModelGeneration::numbered(u64::try_from(number).unwrap_or_default())
}

fn no_state() -> DatabaseError {
    DatabaseError("the table `generations` has no row".into())
}

#[cfg(test)]
mod tests;
