//! Load generator: measures the throughput and latency of the platform on this machine, as one table.
//!
//! It starts the platform as a user does, as a separate process with empty state, and sends requests over loopback. Each
//! of a few connections waits for the response before it sends its next request. The run builds no component, does not
//! touch the user's state, and every wait has a time limit, so it can be repeated on any machine. The load shares the
//! processor with the platform: compare figures from the same machine only.
//!
//! [`journey`] lists the scenarios, [`load`] is the generator, [`platform`] the process under test, [`report`] the table.
//! [`overload`] measures how the platform behaves when the offered load exceeds its capacity by far, [`attack`] whether
//! customers are served while others try to take it down, [`listeners`] what many clients cost that listen for changes.

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they panic when the stream cannot be written: use `output`"
)]

mod attack;
mod budget;
mod comparison;
mod connection;
mod journey;
mod listeners;
mod load;
mod manifest;
mod options;
pub mod output;
mod overload;
mod platform;
mod process;
mod report;
mod samples;
mod twin;

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use self::budget::Budget;
use self::comparison::Comparison;
use self::connection::Target;
use self::journey::Journey;
pub use self::options::Options;
use self::output::print_report;
use self::platform::{Platform, StateDirectory};
use self::process::Process;
use self::report::{Memory, Report, StartUp};
use self::twin::Twin;

/// Runs the benchmark and prints its report on standard output.
///
/// # Errors
/// When the platform cannot be started or reached, or no request of a scenario succeeded.
pub fn run(options: &Options) -> anyhow::Result<()> {
    if let Some(directory) = &options.serve_twin {
        return twin::serve(directory);
    }
    // A single thread: the second core is left to the platform.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = chosen(options) => ended,
            interrupted = interrupted() => Err(interrupted?),
        }
    })
}

async fn chosen(options: &Options) -> anyhow::Result<()> {
    if options.url.is_none() {
        platform::build_host().await?;
    }
    if options.attack {
        return show(options, &attack::measure(options).await?);
    }
    if let Some(count) = options.listeners {
        return show(options, &listeners::measure(options, count.into()).await?);
    }
    if options.overload {
        return show(options, &overload::measure(options).await?);
    }
    let report = measure(options).await?;
    if !options.twin {
        show(options, &report)?;
        return check(&report);
    }
    let comparison = Comparison {
        platform: report,
        twin: measure_twin(options).await?,
    };
    show(options, &comparison)?;
    check(&comparison.platform)?;
    check(&comparison.twin)
}

fn check(report: &Report) -> anyhow::Result<()> {
    match report.failed() {
        Some(scenario) => anyhow::bail!("no request of `{scenario}` succeeded"),
        None => Ok(()),
    }
}

fn show(options: &Options, report: &(impl Serialize + fmt::Display)) -> anyhow::Result<()> {
    match options.json {
        true => print_report(serde_json::to_string_pretty(report)?),
        false => print_report(report.to_string().trim_end()),
    }
    Ok(())
}

async fn measure(options: &Options) -> anyhow::Result<Report> {
    match &options.url {
        Some(url) => {
            let target = Target::parse(url)?;
            let process = options.pid.map(Process::of);
            let mode = format!("running at {url}");
            measure_at(options, mode, target, process, None).await
        }
        None => measure_own(options).await,
    }
}

/// Starts the platform twice and measures the second process, whose components are already compiled.
async fn measure_own(options: &Options) -> anyhow::Result<Report> {
    platform::check_built(options)?;
    let directory = StateDirectory::create()?;
    let (first, cold) = Platform::start(options, directory.path()).await?;
    first.stop().await?;
    let (platform, warm) = Platform::start(options, directory.path()).await?;
    let mode = match options.redis_url {
        Some(_) => "on Redis",
        None => "embedded",
    };
    let target = platform.target().clone();
    let process = Some(platform.process());
    let start_up = Some(StartUp::new(cold, warm));
    let report = measure_at(options, mode.to_owned(), target, process, start_up).await?;
    platform.stop().await?;
    Ok(report)
}

async fn measure_twin(options: &Options) -> anyhow::Result<Report> {
    let twin = Twin::start().await?;
    let mode = "native twin".to_owned();
    let target = twin.target().clone();
    measure_at(options, mode, target, Some(twin.process()), None).await
}

async fn measure_at(
    options: &Options,
    mode: String,
    target: Target,
    process: Option<Process>,
    start_up: Option<StartUp>,
) -> anyhow::Result<Report> {
    let budget = Budget::starting_now(options);
    let at_start = process.and_then(Process::memory);
    let mut journey = Journey::begin(options, target, process, budget)
        .await
        .context("the platform does not respond")?;
    let (rows, delays) = journey.run().await;
    let memory = at_start
        .zip(process.and_then(Process::memory))
        .map(|(start, load)| Memory::new(start, load));
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        mode,
        optimised: !cfg!(debug_assertions),
        connections: options.connections,
        cars: journey.cars(),
        rows,
        delays,
        start_up,
        memory,
    })
}

/// Returns after SIGINT or SIGTERM, so that the run ends and removes the platform and its state.
async fn interrupted() -> anyhow::Result<anyhow::Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    // The platform also receives Ctrl-C; this pause lets it stop by itself.
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(anyhow::anyhow!("interrupted"))
}
