//! The read model: one generation of tables in a database.

use crate::{
    generation::ReadModelGeneration,
    ports::{Database, DatabaseError},
    sql::schema,
    sql_value::SqlValue,
};

/// One generation of the read model's tables, for updates and queries.
pub struct ReadModel<D> {
    pub(crate) database: D,
    pub(crate) generation: ReadModelGeneration,
}

impl<D: Database> ReadModel<D> {
    /// Opens a generation in `database`, and creates the tables that are missing.
    ///
    /// The tables of an older version get the new ones beside them, which are filled from the old ones in parts; an
    /// opening that is interrupted is continued by the next one.
    ///
    /// No row is written before all tables, indexes and triggers exist. So if all names are found, all triggers work; if
    /// some are missing, another instance is creating them or died while creating them, and this one creates the rest.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`] when the database fails.
    pub async fn open(database: D, generation: ReadModelGeneration) -> Result<Self, DatabaseError> {
        let model = Self::complete(database, generation);
        let statements = schema::statements();
        let created = statements.iter().filter(|text| schema::creates(text));
        let expected = i64::try_from(created.count()).unwrap_or(i64::MAX);
        let found = model.run(schema::COUNT_NAMES, &[]).await?;
        if found != [[SqlValue::Number(expected)]] {
            let (last, others) = statements.split_last().unwrap_or((&statements[0], &[]));
            for statement in others {
                model.run(statement, &[]).await?;
            }
            while !model.run(schema::COMPLETION, &[]).await?.is_empty() {}
            model.run(last, &[]).await?;
        }
        Ok(model)
    }

    /// A generation whose tables are known to be complete.
    pub(crate) const fn complete(database: D, generation: ReadModelGeneration) -> Self {
        Self {
            database,
            generation,
        }
    }

    /// Runs one statement, in which `$` stands before the names of tables.
    pub(crate) async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        let statement = self.generation.qualify(statement);
        self.database.run(&statement, parameters).await
    }
}

#[cfg(test)]
mod tests;
