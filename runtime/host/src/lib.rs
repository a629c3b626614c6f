//! `socar`: runs the components that a `spin.toml` describes, isolated from each other and from failures.
//!
//! The path of one call is the map of this crate, from the outside to the inside:
//!
//! 1. A trigger receives a request ([`trigger::http`]), an event ([`trigger::events`]) or a tick of the clock
//!    ([`trigger::sweep`]). The [`generation`] of the application that takes new calls has the route to a component and
//!    its [`ingress`]: the links that lead to it.
//! 2. The [`call`] carries its deadline, its priority, its [`principal`] and its [`trace`]. Who sends a request is decided
//!    by [`identity`].
//! 3. A [`link`] guards the call: deadline, fallback, [`admission`], retry, breaker, attempt, in this order.
//!    `Link::call_with` is the place to read.
//! 4. The [`component`] handles the request with an [`instance`], on the [`runtimes`] and the [`engine`] of the
//!    platform. Before that, operators may inject a fault ([`fault_injection`]).
//! 5. The instance reaches only what the manifest grants it ([`capability`]): stores ([`store`]), databases, the event
//!    log ([`bus`]), variables, and other hosts. An outgoing request takes the link that [`outbound`] finds, to another
//!    component or over the [`client`] to a remote host; a call of a [`function`] of another component takes the link
//!    that [`imports`] knows. Then the path starts again at 3.
//! 6. The response goes back as a [`body`] that is observed until its last byte. If there is no response, the host
//!    sends a [`problem`].
//!
//! Besides calls, the host sends the [`changes`] of a component to clients that listen for them.
//!
//! Each module uses only modules below it. [`app`] builds everything, and [`admin`] is the interface for operators.

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "the documentation of a program is for who reads its code; rustc knows no lints of rustdoc to expect"
)]
#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the stream cannot be written: use `output`"
)]

mod accept;
pub mod admin;
pub mod admission;
pub mod app;
mod application_registry;
pub mod availability;
pub mod backends;
mod bearer_token;
pub mod body;
pub mod bus;
pub mod byte_budget;
pub mod call;
pub mod capability;
pub mod changes;
pub mod cli;
pub mod client;
mod code_cache;
pub mod commands;
pub mod compiled_ahead;
pub mod component;
pub mod component_build;
pub mod cpu_throttle;
mod descriptors;
pub mod dispatch_marker;
mod durable_body;
pub mod engine;
pub mod event_envelope;
pub mod fault_injection;
pub mod function;
pub mod generation;
pub mod headers;
pub mod health;
mod host_call_timeout;
pub mod host_lease;
pub mod identity;
pub mod imports;
pub mod ingress;
pub mod instance;
pub mod link;
mod log_limiter;
mod log_location;
mod memory;
pub mod metrics;
pub mod operator_resources;
pub mod otlp;
pub mod outbound;
mod output;
pub mod platform_events;
pub mod principal;
mod private_directory;
pub mod problem;
pub mod process_metrics;
pub mod read_model_history;
pub mod read_model_records;
pub mod read_model_state;
pub mod rebuild;
mod replay;
pub mod runtimes;
pub mod signals;
mod signing_keys;
pub mod span;
pub mod store;
pub mod stream_readers;
pub mod telemetry;
pub mod trace;
pub mod trigger;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

/// Runs the program with the arguments of this process, and returns its exit code.
pub fn main() -> ExitCode {
    disable_error_backtraces();
    run(std::env::args_os())
}

/// Turns off backtraces of errors, unless `RUST_LIB_BACKTRACE` is set. Wasmtime creates an error whenever a guest waits
/// and drops it when the guest continues. With `RUST_BACKTRACE`, each would capture a backtrace, which takes 3 % of the
/// processor time under load. Panics keep their backtraces.
#[expect(unsafe_code, reason = "std offers this as an unsafe function only")]
fn disable_error_backtraces() {
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: no other thread runs yet that could read the environment.
        unsafe { std::env::set_var(VARIABLE, "0") };
    }
}

/// Runs the program with these arguments. The first is the name of the program.
///
/// A test binary can be the host in one line:
///
/// ```no_run
/// socar::run(["socar", "up", "--listen", "127.0.0.1:0"]);
/// ```
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> ExitCode {
    let arguments = match cli::Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(mut error) => {
            cli::hide_value(&mut error);
            // Help and version end up here too; clap knows the stream and the exit code of each.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match arguments.command {
        cli::Command::Up(options) => {
            telemetry::start(options.log_format, options.log_level());
            runtimes::ensure_threads().and_then(|()| up(&options))
        }
        cli::Command::Compile(options) => commands::compile::run(&options),
        cli::Command::DeadLetters(options) => run_to_end(commands::dead_letters::run(&options)),
        cli::Command::Rebuild(options) => run_to_end(commands::rebuild::run(&options)),
        cli::Command::AcceptStore(options) => run_to_end(commands::accept_store::run(&options)),
        cli::Command::Registry(options) => {
            telemetry::start(cli::LogFormat::Text, telemetry::LevelFilter::WARN);
            run_to_end(commands::registry::run(&options))
        }
        cli::Command::Reload(options) => run_to_end(commands::reload::run(&options)),
        cli::Command::Token(options) => commands::token::run(&options),
        cli::Command::IdentityKeys(options) => commands::identity_keys::run(&options),
        cli::Command::PlatformToken(options) => commands::platform_token::run(&options),
        cli::Command::Relay(options) => {
            telemetry::start(cli::LogFormat::Text, telemetry::LevelFilter::INFO);
            run_to_end(commands::relay::run(&options))
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error_line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn up(options: &cli::UpOptions) -> anyhow::Result<()> {
    let threads = runtimes::request_threads(options.is_on_redis());
    run_with_threads(threads, app::up(options))
}

fn run_to_end(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    run_with_threads(runtimes::request_threads(false), work)
}

fn run_with_threads(
    threads: usize,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .on_thread_start(runtimes::yield_to_other_runtimes)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    // The remaining tasks had their time to finish.
    runtime.shutdown_background();
    outcome
}
