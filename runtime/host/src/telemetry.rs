//! The log of the host and its components, on standard error, as text or JSON lines.
//!
//! `RUST_LOG` filters it, as in other programs. The output of components has the target `guest`. A log that cannot be
//! written does not affect the host ([`log_writer`]).

mod log_writer;

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing::warn;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
pub use tracing_subscriber::filter::LevelFilter;

use crate::cli::LogFormat;
use log_writer::LogWriter;

/// Starts the log at this level unless `RUST_LOG` says otherwise; a second call has no effect.
pub fn start(format: LogFormat, level: LevelFilter) {
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    // The filter itself would print what it does not understand, by a macro that panics.
    let (directives, ignored): (Vec<&str>, Vec<&str>) = (asked.split(',').map(str::trim))
        .filter(|directive| !directive.is_empty())
        .partition(|directive| directive.parse::<Directive>().is_ok());
    let mut filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .parse_lossy(directives.join(","));
    let is_quiet = level < LevelFilter::WARN && std::env::var_os(EnvFilter::DEFAULT_ENV).is_none();
    // An error that a component reports is a line on its standard error.
    if let (true, Ok(guests)) = (is_quiet, "guest=warn".parse()) {
        filter = filter.add_directive(guests);
    }
    let Ok(writer) = LogWriter::on_standard_error(format) else {
        // Without a free descriptor the start fails soon, and its error is printed without the log.
        return;
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // An error about the log would be printed to the same stream, by a macro that panics.
        .log_internal_errors(false)
        .with_writer(Arc::new(writer));
    // It fails only after an earlier start, such as that of a test binary.
    let _ = match format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).try_init(),
    };
    for directive in ignored {
        warn!(directive, "a part of RUST_LOG is ignored: it is no filter");
    }
}
