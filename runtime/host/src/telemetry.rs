//! The log of the host and its components, on standard error, as text or JSON lines.
//!
//! `RUST_LOG` filters it, as in other programs. The output of components has the target `guest`.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
pub use tracing_subscriber::filter::LevelFilter;

use crate::cli::LogFormat;

/// Starts the log at this level unless `RUST_LOG` says otherwise; a second call has no effect.
pub fn start(format: LogFormat, level: LevelFilter) {
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // It fails only after an earlier start, such as that of a test binary.
    let _ = match format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
}
