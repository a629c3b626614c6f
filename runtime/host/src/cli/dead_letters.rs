//! The flags of `socar dead-letters`.

use clap::{Args, Subcommand};

use super::secret::value_or_file;
use super::{AdminToken, StateDir};

/// The flags of `socar dead-letters`.
#[derive(Args, Clone, Debug)]
pub struct DeadLettersOptions {
    /// The operation.
    #[command(subcommand)]
    pub action: DeadLettersAction,

    /// The state directory of the host.
    #[command(flatten)]
    pub state: StateDir,

    /// The token of a running host.
    #[command(flatten)]
    pub token: AdminToken,

    /// The Redis server of the event log; then no state directory is needed.
    #[arg(
        long,
        value_name = "URL",
        env = "SOCAR_REDIS_URL",
        hide_env_values = true,
        value_parser = value_or_file,
        global = true
    )]
    pub redis_url: Option<String>,
}

/// The operations on dead letters.
#[derive(Clone, Debug, Subcommand)]
pub enum DeadLettersAction {
    /// List all dead letters, oldest first: as a table on a terminal, else as one JSON object a line.
    List,
    /// Print one dead letter as JSON.
    Show {
        /// The id that `list` prints.
        id: String,
    },
    /// Deliver events again, only to the component that failed.
    Redrive {
        /// The ids that `list` prints.
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// Redrive every dead letter.
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Delete dead letters.
    Discard {
        /// The ids that `list` prints.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}
