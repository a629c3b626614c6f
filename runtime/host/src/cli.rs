//! The command line: `socar up`, with the flags of `spin up` where they mean the same and the commands that look at a running or stopped host.

mod admin;
mod dead_letters;
mod rebuild;
mod relay;
mod reload;
mod state_dir;
mod up;

use clap::{Parser, Subcommand, ValueEnum};

pub use admin::{AdminOptions, AdminToken};
pub use dead_letters::{DeadLettersAction, DeadLettersOptions};
pub use rebuild::RebuildOptions;
pub use relay::RelayOptions;
pub use reload::ReloadOptions;
pub use state_dir::StateDir;
pub use up::UpOptions;

/// A host for event-driven components: runs what `spin.toml` describes.
#[derive(Debug, Parser)]
#[command(name = "socar", version, about)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the application until it is stopped.
    Up(Box<UpOptions>),
    /// Have a running host take over what is now written and built, without a failed request.
    Reload(Box<ReloadOptions>),
    /// Look at the events that could not be delivered, and deliver them again.
    DeadLetters(Box<DeadLettersOptions>),
    /// Make a component's read model anew from the event log, while the old one answers.
    Rebuild(Box<RebuildOptions>),
    /// Deliver the events of a deployment on stock Spin at least once.
    Relay(RelayOptions),
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}
