//! The generations of the read model's tables.
//!
//! Several generations can exist in one database, each complete in itself: one serves queries while a rebuild fills the
//! next ([`crate::read_model_store`]).

/// The version of the table definitions in [`crate::sql::schema`]. It must change with them: tables of another version
/// are neither read nor changed.
pub const SCHEMA_VERSION: &str = "g1";

/// The tables of one read model, identified by the rebuild that made them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadModelGeneration(u64);

impl ReadModelGeneration {
    /// The first generation of every database, made by no rebuild.
    pub const FIRST: Self = Self(0);

    /// The generation of a rebuild, counted from 1.
    #[must_use]
    pub const fn numbered(rebuild: u64) -> Self {
        Self(rebuild)
    }

    /// The rebuild that made it; 0 for the first generation.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The prefix of its table names, without the underscore that follows it.
    pub(crate) fn prefix(self) -> String {
        match self {
            Self::FIRST => SCHEMA_VERSION.to_owned(),
            Self(rebuild) => format!("{SCHEMA_VERSION}r{rebuild}"),
        }
    }

    /// `sql` with every `$name` replaced by the name in this generation.
    pub(crate) fn qualify(self, sql: &str) -> String {
        sql.replace('$', &format!("{}_", self.prefix()))
    }
}
