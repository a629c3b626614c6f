//! `bench --overload`: what becomes of the platform when ten times as much is wanted as it can do.
//!
//! The same siege twice, each time on a platform of its own: as it is shipped, and without what protects it. First
//! customers who wait for their answers say how many reservations there can be (the capacity) and what one takes that
//! is alone. Then reservations are asked for at ten times that rate, whether or not earlier ones were answered. Each is
//! for a car that nobody has, so that every one that is let in is whole work.
//!
//! Whole work is not over with the answer: confirmations, messages and the view follow. A platform that puts them off
//! would seem to do more than it can do for long. So the time until the view shows everything counts, of a crowd as of
//! the siege.

mod report;
mod siege;
mod unprotected;
mod wire;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::budget::Budget;
use super::connection::Connection;
use super::journey::{Journey, turn};
use super::load::{Load, Measured, drive};
use super::options::Options;
use super::platform::{self, Platform, Scratch};
use super::process::Process;
use report::{Lasted, Memory, Report, Siege};
use siege::{Offer, besiege};

/// How many times the capacity is offered.
const TIMES: f64 = 10.0;

/// How many times as long as other scenarios it is offered: 20 s if nothing else is said.
const LONGER: u32 = 4;

/// How many customers look for the capacity together; the most that was ever done counts.
const CUSTOMERS: [usize; 4] = [4, 8, 16, 32];

/// Cars that are enough to look for the capacity, for each second: no laptop makes more reservations.
const CARS_PER_SECOND: usize = 800;

/// The most cars that are made for one siege.
const CARS: usize = 60_000;

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// How long the memory may take to go back: idle instances go after ten seconds.
const RECOVERY: Duration = Duration::from_secs(30);

/// The memory is back when no more than this is left of what the siege has added.
const BACK: f64 = 0.1;

/// No run takes longer.
const LONGEST: Duration = Duration::from_secs(600);

/// What closed loops say of a platform.
struct Strength {
    alone: Measured,
    per_second: f64,
}

/// Measures both, and says what it does on standard error.
///
/// # Errors
/// When a platform cannot be started or reached.
pub async fn measure(options: &Options) -> anyhow::Result<Report> {
    platform::check_built(options)?;
    let scratch = Scratch::create()?;
    let bare = Options {
        from: unprotected::write(&options.from, scratch.path())?,
        ..options.clone()
    };
    let (strength, protected) = run(options, &scratch.path().join("protected"), None).await?;
    let rate = strength.per_second * TIMES;
    let (_, unprotected) = run(&bare, &scratch.path().join("unprotected"), Some(rate)).await?;
    Ok(Report::new(
        &strength.alone.samples,
        strength.per_second,
        rate,
        options.span() * LONGER,
        protected,
        unprotected,
    ))
}

/// One platform from its start to its end; the rate is ten times its own capacity unless it is given.
async fn run(
    options: &Options,
    state: &Path,
    rate: Option<f64>,
) -> anyhow::Result<(Strength, Siege)> {
    let name = state.file_name().unwrap_or_default().display().to_string();
    let (platform, _) = Platform::start(options, state).await?;
    let target = platform.target().clone();
    let process = platform.process();
    let budget = Budget::lasting(LONGEST);
    let journey = Journey::begin(options, target.clone(), Some(process), budget)
        .await
        .context("the platform does not answer")?;

    eprintln!("{name}: looking for the capacity");
    // Once for who is alone, and once for each crowd.
    let spans = 1 + CUSTOMERS.len();
    let seconds = spans * usize::from(options.seconds);
    journey.stock(CARS_PER_SECOND * seconds).await;
    let reserve = async |connection: &mut Connection| journey.reserve(connection).await.map(turn);
    let closed_loop = async |connections: usize, span: Duration| {
        drive(&target, Load { connections, span }, reserve).await
    };
    let alone = closed_loop(1, options.span()).await;
    journey.catch_up("reserve").await;
    let mut per_second = 0.0_f64;
    for customers in CUSTOMERS {
        let begun = Instant::now();
        let measured = closed_loop(customers, options.span()).await;
        journey.catch_up("reserve").await;
        let made = measured.turns - measured.errors;
        per_second = per_second.max(made as f64 / begun.elapsed().as_secs_f64());
    }

    let rate = rate.unwrap_or(per_second * TIMES);
    let span = options.span() * LONGER;
    let wanted = per_second * span.as_secs_f64() * 1.5;
    journey.stock((wanted as usize + 1000).min(CARS)).await;
    let mut cars = journey.take_free().into();
    // Idle instances go, so that the start is a start.
    let before = settled(process).await;
    eprintln!("{name}: offering {rate:.0} reservations a second for {span:?}");
    let begun = Instant::now();
    let siege = besiege(target.address(), &mut cars, Offer { rate, span });
    let (outcome, most) = tokio::join!(siege, highest(process, span));
    let ended = Instant::now();
    journey.made(outcome.admitted.count());
    journey.catch_up("siege").await;
    let lasted = Lasted {
        span,
        whole: begun.elapsed(),
    };
    let after = back(process, before, most).await;
    let memory = Memory::new(before, most, after, ended.elapsed());
    platform.stop().await?;
    let strength = Strength { alone, per_second };
    Ok((strength, Siege::new(&outcome, lasted, memory)))
}

/// The most memory that is seen within a time.
async fn highest(process: Process, span: Duration) -> u64 {
    let until = Instant::now() + span;
    let mut most = 0;
    while Instant::now() < until {
        most = most.max(process.memory().unwrap_or_default());
        tokio::time::sleep(LOOK).await;
    }
    most
}

/// The memory once idle instances have gone.
async fn settled(process: Process) -> u64 {
    tokio::time::sleep(RECOVERY / 2).await;
    process.memory().unwrap_or_default()
}

/// The memory once it is back, or when it had its time.
async fn back(process: Process, before: u64, most: u64) -> u64 {
    let added = most.saturating_sub(before) as f64;
    let until = Instant::now() + RECOVERY;
    loop {
        let now = process.memory().unwrap_or_default();
        let left = now.saturating_sub(before) as f64;
        if left <= added * BACK || Instant::now() >= until {
            return now;
        }
        tokio::time::sleep(LOOK).await;
    }
}
