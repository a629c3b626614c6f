//! The read model: one generation of tables in a database.
//!
//! Several generations can live side by side, each whole in itself: one answers while a rebuild
//! fills the next ([`crate::view`]).

use crate::{Rows, RowsError, Value, sql::schema};

/// The shape of the tables that this version of the code reads and writes. To be raised with every
/// change of [`schema`]: tables of another shape are never looked at, and never harmed.
pub const SHAPE: &str = "g1";

/// The tables of one read model, among those of the same shape: which rebuild made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(u64);

/// The rows of the view, ready to be changed and asked.
pub struct ReadModel<R> {
    rows: R,
    generation: Generation,
}

impl Generation {
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
            Self::FIRST => SHAPE.to_owned(),
            Self(rebuild) => format!("{SHAPE}r{rebuild}"),
        }
    }

    /// `sql` with every `$name` turned into a name of this generation.
    fn name(self, sql: &str) -> String {
        sql.replace('$', &format!("{}_", self.prefix()))
    }
}

impl<R: Rows> ReadModel<R> {
    /// The first generation in `rows`, created where it is missing.
    ///
    /// # Errors
    ///
    /// The database's silence.
    pub async fn open(rows: R) -> Result<Self, RowsError> {
        Self::open_generation(rows, Generation::FIRST).await
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
        let model = Self::whole(rows, generation);
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

    /// A generation that is known to be there.
    pub(crate) const fn whole(rows: R, generation: Generation) -> Self {
        Self { rows, generation }
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
