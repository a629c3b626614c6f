//! The flags of `socar dead-letters`.

use clap::{Args, Subcommand};

use super::StateDir;

/// The flags of `socar dead-letters`.
#[derive(Args, Clone, Debug)]
pub struct DeadLettersOptions {
    /// What to do with them.
    #[command(subcommand)]
    pub action: DeadLettersAction,

    /// Whose they are.
    #[command(flatten)]
    pub state: StateDir,

    /// The Redis server that events are kept on, if they are.
    #[arg(long, value_name = "URL", global = true)]
    pub redis_url: Option<String>,
}

/// What to do with dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum DeadLettersAction {
    /// Print all of them, oldest first.
    List,
    /// Print one.
    Show {
        /// As `list` prints it.
        id: String,
    },
    /// Deliver them again, to the component that failed and to no other.
    Redrive {
        /// As `list` prints them.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that are there.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Throw them away for good.
    Discard {
        /// As `list` prints them.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}
