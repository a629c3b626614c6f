//! The read model: one generation of tables in a database.
//!
//! Several generations can live side by side, each whole in itself. A generation is therefore both
//! the version of the tables' shape and what a rebuild fills from the log while the one before it
//! still answers.

use crate::{Rows, RowsError, Value, sql::schema};

/// The name that the tables of one read model share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation(&'static str);

/// The rows of the view, ready to be changed and asked.
pub struct ReadModel<R> {
    rows: R,
    generation: Generation,
}

impl Generation {
    /// What this version of the code reads and writes. To be raised with every change of
    /// [`schema`]: tables of another shape are never looked at, and never harmed.
    pub const CURRENT: Self = Self("g1");

    /// A generation by its name: lower-case letters and digits.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        Self(name)
    }

    /// `sql` with every `$name` turned into a name of this generation.
    fn name(self, sql: &str) -> String {
        sql.replace('$', &format!("{}_", self.0))
    }
}

impl<R: Rows> ReadModel<R> {
    /// The current generation in `rows`, created where it is missing.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open(rows: R) -> Result<Self, RowsError> {
        Self::open_generation(rows, Generation::CURRENT).await
    }

    /// A generation in `rows`, created where it is missing.
    ///
    /// Nothing writes before everything is there, so whoever finds all names may rely on all
    /// triggers; and whoever finds some missing (another instance is at work, or died at work)
    /// creates the rest.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open_generation(rows: R, generation: Generation) -> Result<Self, RowsError> {
        let model = Self { rows, generation };
        let statements = schema::statements();
        let created = statements.iter().filter(|text| schema::creates(text));
        let expected = i64::try_from(created.count()).unwrap_or(i64::MAX);
        let found = model.run(schema::NAMES_THAT_EXIST, &[]).await?;
        if found != [[Value::Number(expected)]] {
            for statement in &statements {
                model.run(statement, &[]).await?;
            }
        }
        Ok(model)
    }

    /// The database.
    pub fn rows(&self) -> &R {
        &self.rows
    }

    /// Runs one statement, written with `$` before the names of tables.
    pub(crate) async fn run(
        &self,
        statement: &str,
        parameters: &[Value],
    ) -> Result<Vec<Vec<Value>>, RowsError> {
        let statement = self.generation.name(statement);
        self.rows.run(&statement, parameters).await
    }
}
