//! Attack benchmark, `bench --attack`: are honest customers served while others occupy connections, bodies and processors?
//!
//! Honest customers reserve at a fixed rate, far below the capacity, first alone and then while the [`attackers`] are at
//! work. A reservation that is not made in time is lost. The memory under attack is compared with the memory after a load
//! of honest customers alone, which fills all pools.

mod attackers;
mod report;

use std::time::Duration;

use anyhow::Context as _;

use super::budget::Budget;
use super::connection::Connection;
use super::journey::{Journey, iteration};
use super::load::{Load, drive};
use super::options::Options;
use super::output::print_progress;
use super::overload::{OfferedLoad, offer_load, peak_memory};
use super::platform::{self, Platform, StateDirectory};
use attackers::Attackers;
pub use report::AttackReport;
use report::HonestCustomers;

/// Reservations of honest customers for each second.
const RATE: f64 = 50.0;

/// Duration of each of the two loads of honest customers, as a multiple of one scenario: 15 s by default.
const SPAN_FACTOR: u32 = 3;

/// The cars of the fleet, which the sorting requests sort, beside those that are reserved.
const FLEET: usize = 10_000;

/// Time in which the attackers open their connections.
const HEAD_START: Duration = Duration::from_secs(3);

/// Time limit of the benchmark.
const RUN_TIMEOUT: Duration = Duration::from_secs(600);

/// Measures the platform without and with attackers, and reports progress on standard error.
///
/// # Errors
/// When the platform cannot be started or reached.
pub async fn measure(options: &Options) -> anyhow::Result<AttackReport> {
    platform::check_built(options)?;
    let directory = StateDirectory::create()?;
    let (platform, _) = Platform::start(options, directory.path()).await?;
    let target = platform.target().clone();
    let process = platform.process();
    let budget = Budget::lasting(RUN_TIMEOUT);
    let journey = Journey::begin(options, target.clone(), Some(process), budget)
        .await
        .context("the platform does not respond")?;
    let span = options.span() * SPAN_FACTOR;
    let offered = OfferedLoad { rate: RATE, span };

    print_progress(format_args!("registering {FLEET} cars"));
    journey.ensure_free_cars(FLEET).await;
    print_progress("loading the platform with honest customers");
    let load = Load {
        connections: options.connections.into(),
        span: options.span(),
    };
    let reserve =
        async |connection: &mut Connection| journey.reserve(connection).await.map(iteration);
    drive(&target, load, reserve).await;
    journey.catch_up("reserve").await;
    let level = process.memory().unwrap_or_default();

    print_progress(format_args!("{RATE} reservations per second, undisturbed"));
    let mut cars = journey.take_free().into();
    let undisturbed = offer_load(target.address(), &mut cars, offered).await;

    print_progress(format_args!("{RATE} reservations per second, under attack"));
    let attackers = Attackers::start(target.address())?;
    tokio::time::sleep(HEAD_START).await;
    let (attacked, peak) = tokio::join!(
        offer_load(target.address(), &mut cars, offered),
        peak_memory(process, span)
    );
    drop(attackers);
    platform.stop().await?;
    Ok(AttackReport {
        optimised: !cfg!(debug_assertions),
        undisturbed: HonestCustomers::new(&undisturbed),
        attacked: HonestCustomers::new(&attacked),
        memory_level_megabytes: level as f64 / 1e6,
        memory_peak_megabytes: peak as f64 / 1e6,
    })
}
