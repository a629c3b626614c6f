//! The command line: `socar up`, with the flags of `spin up` where they mean the same and the commands that look at a running or stopped host.

mod accept_store;
mod admin;
mod compile;
mod dead_letters;
mod identity;
mod identity_keys;
mod platform_token;
mod rebuild;
mod registry;
mod relay;
mod reload;
mod secret;
mod source;
mod state_dir;
mod token;
mod up;

use clap::{Parser, Subcommand, ValueEnum};

pub use accept_store::AcceptStoreOptions;
pub use admin::{AdminOptions, AdminToken};
pub use compile::CompileOptions;
pub use dead_letters::{DeadLettersAction, DeadLettersOptions};
pub use identity::IdentityOptions;
pub use identity_keys::IdentityKeysOptions;
pub use platform_token::PlatformTokenOptions;
pub use rebuild::RebuildOptions;
pub use registry::{PullOptions, PushOptions, RegistryAction, RegistryOptions};
pub use relay::RelayOptions;
pub use reload::ReloadOptions;
pub use secret::hide_value;
pub use source::ApplicationSource;
pub use state_dir::StateDir;
pub use token::TokenOptions;
pub use up::UpOptions;

/// A host for event-driven components: runs what `spin.toml` describes.
#[derive(Debug, Parser)]
#[command(name = "socar", version, about)]
pub struct Arguments {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the application until it is stopped.
    Up(Box<UpOptions>),
    /// Replace the running application by the manifest and components as they are now, without a failed request.
    Reload(Box<ReloadOptions>),
    /// Store an application in an OCI registry, or fetch one.
    Registry(RegistryOptions),
    /// Compile the components into a directory, for a start that compiles nothing.
    Compile(CompileOptions),
    /// List, redrive or discard the events that could not be delivered.
    DeadLetters(Box<DeadLettersOptions>),
    /// Rebuild the read model of a component from the event log, while the old one serves queries.
    Rebuild(Box<RebuildOptions>),
    /// Go on with a key-value store that was lost or restored without the event log, or the reverse.
    AcceptStore(Box<AcceptStoreOptions>),
    /// Print an access token for a host that was started with `--identity local`.
    Token(Box<TokenOptions>),
    /// Print the public keys that verify those tokens, for the variable `identity_keys` of stock Spin.
    IdentityKeys(IdentityKeysOptions),
    /// Print a platform token for one context, which is valid for a minute.
    PlatformToken(PlatformTokenOptions),
    /// Deliver the events of a deployment on stock Spin, at least once.
    Relay(RelayOptions),
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
