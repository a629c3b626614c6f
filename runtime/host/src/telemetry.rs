//! The log: what the host and its components have to say, on standard error, for people or for programs.
//!
//! `RUST_LOG` selects as usual. What components print comes under the target `guest`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::LogFormat;

/// Starts the log; a second call changes nothing.
pub fn start(format: LogFormat, quiet: bool) {
    let level = if quiet {
        LevelFilter::ERROR
    } else {
        LevelFilter::INFO
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // It fails only if a log has been started already, which a test binary may have done.
    let _ = match format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
