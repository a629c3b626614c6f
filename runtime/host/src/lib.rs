//! `socar`: runs the components that a `spin.toml` describes, and stands between them and everything else.
//!
//! The path of one call, in order, is the map of this crate:
//!
//! 1. Something wakes a component: a request ([`trigger::http`]), an event ([`delivery`]), the clock
//!    ([`trigger::sweep`]), or another component ([`capability::outbound_http`]).
//! 2. The call knows how long it may take and whom it belongs to ([`call`], [`trace`]).
//! 3. It goes over a [`link`], which may cut it off, try again, or answer itself; the component at its end lets it in,
//!    makes it wait, or refuses ([`admission`], [`component`]).
//! 4. An instance works on it, alone ([`instance`]), on code that was compiled once ([`engine`]) and threads that do
//!    nothing else ([`runtimes`]).
//! 5. The instance reaches what the manifest grants it, and nothing else ([`capability`]): stores ([`store`],
//!    [`database`], [`remote`]), databases, the event log, other hosts ([`client`]).
//! 6. The answer goes back; if there is none, the host gives its own ([`problem`]).
//!
//! What runs, and under which limits, is read from the [`manifest`], its [`policy`] tables and a [`runtime_config`];
//! [`app`] puts everything together, and [`admin`] is where operators look and steer.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation of a program is for who reads its code; rustc knows no lints of rustdoc to expect"
)]

mod accept;
pub mod admin;
pub mod admission;
pub mod app;
pub mod backends;
pub mod body;
pub mod bus;
pub mod byte_budget;
pub mod call;
pub mod capability;
pub mod cli;
pub mod client;
pub mod commands;
pub mod component;
pub mod component_build;
pub mod cpu_throttle;
mod descriptors;
pub mod dispatch_marker;
pub mod engine;
pub mod fault_injection;
pub mod generation;
pub mod headers;
pub mod health;
mod host_call_timeout;
pub mod ingress;
pub mod instance;
pub mod link;
mod memory;
pub mod metrics;
pub mod outbound;
pub mod problem;
pub mod rebuild;
pub mod runtimes;
pub mod signals;
pub mod store;
pub mod telemetry;
pub mod trace;
pub mod trigger;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

/// The whole program: reads the arguments of this process, runs, and says how it ended.
pub fn main() -> ExitCode {
    spare_backtraces();
    run(std::env::args_os())
}

/// Wasmtime makes an error whenever a guest waits, and drops it when he goes on. Where `RUST_BACKTRACE` is set, each would
/// look for its way up the stack, for 3 % of the processor's time under load. Panics tell theirs even so, and whoever
/// sets `RUST_LIB_BACKTRACE` himself gets all.
#[expect(unsafe_code, reason = "std offers this as an unsafe function only")]
fn spare_backtraces() {
    const OF_ERRORS: &str = "RUST_LIB_BACKTRACE";
    if std::env::var_os(OF_ERRORS).is_none() {
        // SAFETY: there is no other thread yet that could read the environment.
        unsafe { std::env::set_var(OF_ERRORS, "0") };
    }
}

/// The whole program with these arguments, the first of which is its name.
///
/// A test binary can be the host in one line:
///
/// ```no_run
/// socar::run(["socar", "up", "--listen", "127.0.0.1:0"]);
/// ```
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    let arguments = match cli::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version end up here too; clap knows which stream and code each deserves.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match arguments.command {
        cli::Command::Up(options) => {
            telemetry::start(options.log_format, options.log_level());
            run_to_end(app::up(&options))
        }
        cli::Command::DeadLetters(options) => run_to_end(commands::dead_letters::run(&options)),
        cli::Command::Rebuild(options) => run_to_end(commands::rebuild::run(&options)),
        cli::Command::Reload(options) => run_to_end(commands::reload::run(&options)),
        cli::Command::Relay(options) => {
            telemetry::start(cli::LogFormat::Text, telemetry::LevelFilter::INFO);
            run_to_end(commands::relay::run(&options))
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_to_end(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    // Whatever still runs has had its time to finish.
    runtime.shutdown_background();
    outcome
}
