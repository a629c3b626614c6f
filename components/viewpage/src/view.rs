//! Which generation of the read model answers, and which one a rebuild is filling.
//!
//! While a rebuild is under way every event goes to both, so that the new generation misses nothing
//! when it takes over; that it does with one statement, so every question is answered wholly by one
//! of them. LiveNumbers are never used twice: whoever is late writes to tables that are gone, and is
//! told so, rather than to those of a later rebuild.

use crate::{Generation, ReadModel, Rows, RowsError, Value, read_model::SHAPE};
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
pub struct View<R> {
    rows: R,
    /// Those that are known to have all their tables.
    whole: RefCell<BTreeSet<Generation>>,
}

/// What a moment finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Present {
    answering: Generation,
    filling: Option<Generation>,
}

impl<R: Rows> View<R> {
    /// The generations in `rows`; a new database has the first one.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open(rows: R) -> Result<Self, RowsError> {
        rows.run(CREATE, &[]).await?;
        rows.run(FIRST, &[SHAPE.into()]).await?;
        Ok(Self {
            rows,
            whole: RefCell::default(),
        })
    }

    /// The database.
    pub fn rows(&self) -> &R {
        &self.rows
    }

    /// The generation that answers questions.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn answering(&self) -> Result<ReadModel<&R>, RowsError> {
        self.model(self.present().await?.answering).await
    }

    /// The generation that a rebuild is filling, if one is under way.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn filling(&self) -> Result<Option<ReadModel<&R>>, RowsError> {
        match self.present().await?.filling {
            Some(filling) => Ok(Some(self.model(filling).await?)),
            None => Ok(None),
        }
    }

    /// Takes an event in, wherever it is needed.
    ///
    /// # Errors
    ///
    /// The database's silence; the event may then be in, and should come again.
    pub async fn project(&self, event: &CloudEvent) -> Result<(), RowsError> {
        let present = self.present().await?;
        self.model(present.answering).await?.project(event).await?;
        match present.filling {
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
    pub async fn begin(&self) -> Result<Generation, RowsError> {
        let present = self.change(BEGIN).await?;
        let filling = present.and_then(|present| present.filling);
        let filling = filling.ok_or_else(|| RowsError("it has lost its generations".into()))?;
        self.model(filling).await?;
        Ok(filling)
    }

    /// Lets the generation that was filled answer from now on, and says which one that is; `None` if
    /// none was filled.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn finish(&self) -> Result<Option<Generation>, RowsError> {
        let present = self.change(FINISH).await?;
        Ok(present.map(|present| present.answering))
    }

    /// Forgets the generation that was being filled.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn abandon(&self) -> Result<(), RowsError> {
        self.change(ABANDON).await.map(drop)
    }

    /// Drops every generation that neither answers nor is being filled. To be called when nobody can
    /// still be reading one of them.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn tidy(&self) -> Result<(), RowsError> {
        let present = self.present().await?;
        let needed = [Some(present.answering), present.filling].map(|generation| {
            generation.map_or_else(String::new, |generation| {
                format!("{}_", generation.prefix())
            })
        });
        for row in self.rows.run(DROPPABLE, &[SHAPE.into()]).await? {
            let [Value::Text(kind), Value::Text(name)] = &row[..] else {
                continue;
            };
            let is_needed = |prefix: &String| !prefix.is_empty() && name.starts_with(prefix);
            if !needed.iter().any(is_needed) {
                let drop = format!("DROP {kind} IF EXISTS {name}");
                self.rows.run(&drop, &[]).await?;
            }
        }
        Ok(())
    }

    async fn model(&self, generation: Generation) -> Result<ReadModel<&R>, RowsError> {
        if self.whole.borrow().contains(&generation) {
            return Ok(ReadModel::whole(&self.rows, generation));
        }
        let model = ReadModel::open_generation(&self.rows, generation).await?;
        self.whole.borrow_mut().insert(generation);
        Ok(model)
    }

    async fn present(&self) -> Result<Present, RowsError> {
        let present = self.change(PRESENT).await?;
        present.ok_or_else(|| RowsError("it has lost its generations".into()))
    }

    /// Runs a statement that leads to a present, if it finds anything.
    async fn change(&self, statement: &str) -> Result<Option<Present>, RowsError> {
        let found = self.rows.run(statement, &[SHAPE.into()]).await?;
        Ok(match found.first().map(Vec::as_slice) {
            Some([Value::Number(answering), filling]) => Some(Present {
                answering: numbered(*answering),
                filling: match filling {
                    Value::Number(filling) => Some(numbered(*filling)),
                    _ => None,
                },
            }),
            _ => None,
        })
    }
}

fn numbered(number: i64) -> Generation {
    Generation::numbered(u64::try_from(number).unwrap_or_default())
}
