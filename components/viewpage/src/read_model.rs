//! The read model: one generation of tables in a database.
//!
//! Several generations can live side by side, each whole in itself: one answers while a rebuild
//! fills the next ([`crate::view`]).

use crate::{Database, DatabaseError, SqlValue, sql::schema};

/// The shape of the tables that this version of the code reads and writes. To be raised with every
/// change of [`schema`]: tables of another shape are never looked at, and never harmed.
pub const SCHEMA_VERSION: &str = "g1";

/// The tables of one read model, among those of the same shape: which rebuild made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadModelGeneration(u64);

/// The rows of the view, ready to be changed and asked.
pub struct ReadModel<R> {
    database: R,
    generation: ReadModelGeneration,
}

impl ReadModelGeneration {
    /// What every database begins with.
    pub const FIRST: Self = Self(0);

    /// What the rebuild of this number made.
    #[must_use]
    pub const fn numbered(rebuild: u64) -> Self {
        Self(rebuild)
    }

    /// Which rebuild made it; 0 for none.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// What the names of its tables begin with, before an underscore.
    pub(crate) fn prefix(self) -> String {
        match self {
            Self::FIRST => SCHEMA_VERSION.to_owned(),
            Self(rebuild) => format!("{SCHEMA_VERSION}r{rebuild}"),
        }
    }

    /// `sql` with every `$name` turned into a name of this generation.
    fn name(self, sql: &str) -> String {
        sql.replace('$', &format!("{}_", self.prefix()))
    }
}

impl<R: Database> ReadModel<R> {
    /// The first generation in `rows`, created where it is missing.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open(database: R) -> Result<Self, DatabaseError> {
        Self::open_generation(database, ReadModelGeneration::FIRST).await
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
    pub async fn open_generation(
        database: R,
        generation: ReadModelGeneration,
    ) -> Result<Self, DatabaseError> {
        let model = Self::whole(database, generation);
        let statements = schema::statements();
        let created = statements.iter().filter(|text| schema::creates(text));
        let expected = i64::try_from(created.count()).unwrap_or(i64::MAX);
        let found = model.run(schema::NAMES_THAT_EXIST, &[]).await?;
        if found != [[SqlValue::Number(expected)]] {
            for statement in &statements {
                model.run(statement, &[]).await?;
            }
        }
        Ok(model)
    }

    /// A generation that is known to be there.
    pub(crate) const fn whole(database: R, generation: ReadModelGeneration) -> Self {
        Self {
            database,
            generation,
        }
    }

    /// The database.
    pub fn database(&self) -> &R {
        &self.database
    }

    /// Runs one statement, written with `$` before the names of tables.
    pub(crate) async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let statement = self.generation.name(statement);
        self.database.run(&statement, parameters).await
    }
}
