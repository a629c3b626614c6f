//! Overload benchmark, `bench --overload`: offers ten times the capacity of the platform.
//!
//! The same overload runs twice, each time on a platform of its own: as shipped, and without its protections. First a
//! closed loop measures the capacity in reservations per second and the latency of a single customer. Then reservations
//! are requested at ten times that rate, whether or not earlier requests were answered. Each request is for a free car,
//! so that every admitted one causes all the work of a reservation.
//!
//! That work does not end with the response: confirmations, messages and the view follow. A platform that defers them
//! would appear faster than it is in the long run. The time until the view shows everything therefore counts, both when
//! the capacity is measured and in the overload.

mod open_loop;
mod raw_connection;
mod report;
mod unprotected;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::budget::Budget;
use super::connection::Connection;
use super::journey::{Journey, iteration};
use super::load::{Load, Measured, drive};
use super::options::Options;
use super::output::print_progress;
use super::platform::{self, Platform, StateDirectory};
use super::process::Process;
pub use open_loop::{OfferedLoad, OverloadOutcome, offer_load};
pub use raw_connection::{RawConnection, get};
use report::{OverloadMemory, OverloadReport, OverloadRun, RunDuration};

/// Offered rate as a multiple of the capacity.
const LOAD_FACTOR: f64 = 10.0;

/// Duration of the overload as a multiple of one scenario: 20 s by default.
const SPAN_FACTOR: u32 = 4;

/// Numbers of concurrent customers with which the capacity is measured; the highest result counts.
const CONCURRENCY_LEVELS: [usize; 4] = [4, 8, 16, 32];

/// Cars to register for each second of the capacity measurement; no laptop makes more reservations per second.
const CARS_PER_SECOND: usize = 800;

/// Maximum number of cars registered for one overload.
const MAX_CARS: usize = 60_000;

/// Interval at which the memory is sampled.
const MEMORY_SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// Time for the memory to recover: idle instances are evicted after ten seconds.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// Fraction of the additional memory below which the memory counts as recovered.
const RECOVERED_FRACTION: f64 = 0.1;

/// Time limit of one run.
const RUN_TIMEOUT: Duration = Duration::from_secs(600);

/// Results of the closed loops.
struct Baseline {
    alone: Measured,
    per_second: f64,
}

/// Measures the platform with and without its protections, and reports progress on standard error.
///
/// # Errors
/// When a platform cannot be started or reached, or the manifest cannot be read or written.
pub async fn measure(options: &Options) -> anyhow::Result<OverloadReport> {
    platform::check_built(options)?;
    let directory = StateDirectory::create()?;
    let unprotected_options = Options {
        from: unprotected::write(&options.from, directory.path())?,
        ..options.clone()
    };
    let (baseline, protected) = run(options, &directory.path().join("protected"), None).await?;
    let rate = baseline.per_second * LOAD_FACTOR;
    let (_, unprotected) = run(
        &unprotected_options,
        &directory.path().join("unprotected"),
        Some(rate),
    )
    .await?;
    Ok(OverloadReport::new(
        &baseline.alone.samples,
        baseline.per_second,
        rate,
        options.span() * SPAN_FACTOR,
        protected,
        unprotected,
    ))
}

/// Measures one platform from start to stop; `rate` defaults to ten times its own capacity.
async fn run(
    options: &Options,
    state: &Path,
    rate: Option<f64>,
) -> anyhow::Result<(Baseline, OverloadRun)> {
    let name = state.file_name().unwrap_or_default().display().to_string();
    let (platform, _) = Platform::start(options, state).await?;
    let target = platform.target().clone();
    let process = platform.process();
    let budget = Budget::lasting(RUN_TIMEOUT);
    let journey = Journey::begin(options, target.clone(), Some(process), budget)
        .await
        .context("the platform does not respond")?;

    print_progress(format_args!("{name}: measuring the capacity"));
    // One span for the single customer, and one for each number of customers.
    let spans = 1 + CONCURRENCY_LEVELS.len();
    let seconds = spans * usize::from(options.seconds);
    journey.ensure_free_cars(CARS_PER_SECOND * seconds).await;
    let reserve =
        async |connection: &mut Connection| journey.reserve(connection).await.map(iteration);
    let closed_loop = async |connections: usize, span: Duration| {
        drive(&target, Load { connections, span }, reserve).await
    };
    let alone = closed_loop(1, options.span()).await;
    journey.catch_up("reserve").await;
    let mut per_second = 0.0_f64;
    for customers in CONCURRENCY_LEVELS {
        let started = Instant::now();
        let measured = closed_loop(customers, options.span()).await;
        journey.catch_up("reserve").await;
        let made = measured.iterations - measured.errors;
        per_second = per_second.max(made as f64 / started.elapsed().as_secs_f64());
    }

    let rate = rate.unwrap_or(per_second * LOAD_FACTOR);
    let span = options.span() * SPAN_FACTOR;
    let wanted = per_second * span.as_secs_f64() * 1.5;
    journey
        .ensure_free_cars((wanted as usize + 1000).min(MAX_CARS))
        .await;
    let mut cars = journey.take_free().into();
    // Wait until idle instances are evicted, so that the overload begins from the same state each time.
    let before = idle_memory(process).await;
    print_progress(format_args!(
        "{name}: offering {rate:.0} reservations per second for {span:?}"
    ));
    let started = Instant::now();
    let overload = offer_load(target.address(), &mut cars, OfferedLoad { rate, span });
    let (outcome, most) = tokio::join!(overload, peak_memory(process, span));
    let ended = Instant::now();
    journey.add_reserved(outcome.admitted.count());
    journey.catch_up("overload").await;
    let duration = RunDuration {
        span,
        until_complete: started.elapsed(),
    };
    let after = recovered_memory(process, before, most).await;
    let memory = OverloadMemory::new(before, most, after, ended.elapsed());
    platform.stop().await?;
    let baseline = Baseline { alone, per_second };
    Ok((baseline, OverloadRun::new(&outcome, duration, memory)))
}

/// Returns the peak memory within `span`, in bytes.
pub async fn peak_memory(process: Process, span: Duration) -> u64 {
    let until = Instant::now() + span;
    let mut most = 0;
    while Instant::now() < until {
        most = most.max(process.memory().unwrap_or_default());
        tokio::time::sleep(MEMORY_SAMPLE_INTERVAL).await;
    }
    most
}

/// Returns the memory in bytes after idle instances have been evicted.
async fn idle_memory(process: Process) -> u64 {
    tokio::time::sleep(RECOVERY_TIMEOUT / 2).await;
    process.memory().unwrap_or_default()
}

/// Waits until the memory has recovered, at most [`RECOVERY_TIMEOUT`], and returns it in bytes.
async fn recovered_memory(process: Process, before: u64, most: u64) -> u64 {
    let added = most.saturating_sub(before) as f64;
    let until = Instant::now() + RECOVERY_TIMEOUT;
    loop {
        let now = process.memory().unwrap_or_default();
        let left = now.saturating_sub(before) as f64;
        if left <= added * RECOVERED_FRACTION || Instant::now() >= until {
            return now;
        }
        tokio::time::sleep(MEMORY_SAMPLE_INTERVAL).await;
    }
}
