//! Which generation of the read model answers, and which one a rebuild is filling.
//!
//! While a rebuild is under way every event goes to both, so that the new generation misses nothing
//! when it takes over; that it does with one statement, so every question is answered wholly by one
//! of them. LiveNumbers are never used twice: whoever is late writes to tables that are gone, and is
//! told so, rather than to those of a later rebuild.

use crate::{
    Database, DatabaseError, ReadModel, ReadModelGeneration, SqlValue, read_model::SCHEMA_VERSION,
};
use events::CloudEvent;
use std::{cell::RefCell, collections::BTreeSet};

const CREATE: &str = "
    CREATE TABLE IF NOT EXISTS generations (
      shape TEXT PRIMARY KEY, answering INTEGER NOT NULL, filling INTEGER, newest INTEGER NOT NULL)";

const FIRST: &str = "INSERT OR IGNORE INTO generations VALUES (?1, 0, NULL, 0)";

const PRESENT: &str = "SELECT answering, filling FROM generations WHERE shape = ?1";

const BEGIN: &str = "
    UPDATE generations SET newest = newest + 1, filling = newest + 1 WHERE shape = ?1
    RETURNING answering, filling";

const FINISH: &str = "
    UPDATE generations SET answering = filling, filling = NULL
    WHERE shape = ?1 AND filling IS NOT NULL RETURNING answering, filling";

const ABANDON: &str = "
    UPDATE generations SET filling = NULL WHERE shape = ?1 RETURNING answering, filling";

/// Everything of this shape that can be dropped, views first: a table takes its indexes and triggers
/// with it, but not the view that reads it.
const DROPPABLE: &str = "
    SELECT type, name FROM sqlite_schema
    WHERE type IN ('table', 'view') AND (name GLOB ?1 || '_*' OR name GLOB ?1 || 'r[0-9]*_*')
    ORDER BY type DESC";

/// All generations in one database.
pub struct ReadModelStore<R> {
    database: R,
    /// Those that are known to have all their tables.
    whole: RefCell<BTreeSet<ReadModelGeneration>>,
}

/// What a moment finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GenerationState {
    active: ReadModelGeneration,
    building: Option<ReadModelGeneration>,
}

impl<R: Database> ReadModelStore<R> {
    /// The generations in `rows`; a new database has the first one.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open(database: R) -> Result<Self, DatabaseError> {
        database.run(CREATE, &[]).await?;
        database.run(FIRST, &[SCHEMA_VERSION.into()]).await?;
        Ok(Self {
            database,
            whole: RefCell::default(),
        })
    }

    /// The database.
    pub fn database(&self) -> &R {
        &self.database
    }

    /// The generation that answers questions.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn active(&self) -> Result<ReadModel<&R>, DatabaseError> {
        self.model(self.state().await?.active).await
    }

    /// The generation that a rebuild is filling, if one is under way.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn building(&self) -> Result<Option<ReadModel<&R>>, DatabaseError> {
        match self.state().await?.building {
            Some(filling) => Ok(Some(self.model(filling).await?)),
            None => Ok(None),
        }
    }

    /// Takes an event in, wherever it is needed.
    ///
    /// # Errors
    ///
    /// The database's silence; the event may then be in, and should come again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), DatabaseError> {
        let state = self.state().await?;
        self.model(state.active).await?.project(event).await?;
        match state.building {
            Some(filling) => self.model(filling).await?.project(event).await,
            None => Ok(()),
        }
    }

    /// Begins an empty generation in place of any that was being filled. From here on it is told
    /// every event.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn begin_rebuild(&self) -> Result<ReadModelGeneration, DatabaseError> {
        let state = self.change(BEGIN).await?;
        let filling = state.and_then(|state| state.building);
        let filling = filling.ok_or_else(|| DatabaseError("it has lost its generations".into()))?;
        self.model(filling).await?;
        Ok(filling)
    }

    /// Lets the generation that was filled answer from now on, and says which one that is; `None` if
    /// none was filled.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn activate(&self) -> Result<Option<ReadModelGeneration>, DatabaseError> {
        let state = self.change(FINISH).await?;
        Ok(state.map(|state| state.active))
    }

    /// Forgets the generation that was being filled.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn abandon(&self) -> Result<(), DatabaseError> {
        self.change(ABANDON).await.map(drop)
    }

    /// Drops every generation that neither answers nor is being filled. To be called when nobody can
    /// still be reading one of them.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn drop_unused(&self) -> Result<(), DatabaseError> {
        let state = self.state().await?;
        let needed = [Some(state.active), state.building].map(|generation| {
            generation.map_or_else(String::new, |generation| {
                format!("{}_", generation.prefix())
            })
        });
        for row in self
            .database
            .run(DROPPABLE, &[SCHEMA_VERSION.into()])
            .await?
        {
            let [SqlValue::Text(kind), SqlValue::Text(name)] = &row[..] else {
                continue;
            };
            let is_needed = |prefix: &String| !prefix.is_empty() && name.starts_with(prefix);
            if !needed.iter().any(is_needed) {
                let drop = format!("DROP {kind} IF EXISTS {name}");
                self.database.run(&drop, &[]).await?;
            }
        }
        Ok(())
    }

    async fn model(&self, generation: ReadModelGeneration) -> Result<ReadModel<&R>, DatabaseError> {
        if self.whole.borrow().contains(&generation) {
            return Ok(ReadModel::whole(&self.database, generation));
        }
        let model = ReadModel::open_generation(&self.database, generation).await?;
        self.whole.borrow_mut().insert(generation);
        Ok(model)
    }

    async fn state(&self) -> Result<GenerationState, DatabaseError> {
        let state = self.change(PRESENT).await?;
        state.ok_or_else(|| DatabaseError("it has lost its generations".into()))
    }

    /// Runs a statement that leads to a present, if it finds anything.
    async fn change(&self, statement: &str) -> Result<Option<GenerationState>, DatabaseError> {
        let found = self
            .database
            .run(statement, &[SCHEMA_VERSION.into()])
            .await?;
        Ok(match found.first().map(Vec::as_slice) {
            Some([SqlValue::Number(answering), filling]) => Some(GenerationState {
                active: numbered(*answering),
                building: match filling {
                    SqlValue::Number(filling) => Some(numbered(*filling)),
                    _ => None,
                },
            }),
            _ => None,
        })
    }
}

fn numbered(number: i64) -> ReadModelGeneration {
    ReadModelGeneration::numbered(u64::try_from(number).unwrap_or_default())
}
