pub mod app;
pub mod body;
pub mod call;
pub mod capability;
pub mod cli;
pub mod client;
pub mod component;
pub mod component_build;
pub mod database;
pub mod engine;
pub mod headers;
pub mod health;
pub mod instance;
pub mod manifest;
pub mod policy;
pub mod problem;
pub mod remote;
pub mod runtime_config;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod trigger { pub mod http; pub mod sweep; }

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

/// The whole program: reads the arguments of this process, runs, and says how it ended.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// The whole program with these arguments, the first of which is its name.
///
/// A test binary can be the host in one line: `socar::run(["socar", "up", …])`.
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    let arguments = match cli::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version end up here too; clap knows which stream and code each deserves.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let cli::Command::Up(options) = arguments.command;
    telemetry::start(options.log_format, options.quiet);
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let outcome = runtime.block_on(app::up(&options));
            // Whatever still runs has had its time to finish.
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
