//! The cost of a breaker for one call: `cargo bench -p resilience` prints nanoseconds per call.
//!
//! The benchmark is a loop around the public functions and reports the best of several rounds. That is exact enough to
//! see whether a call stays far below the 200 ns that the platform allows, and needs no benchmark library. Each call reads
//! the clock twice, which is a large part of the result; the first line shows how much.

use std::hint::black_box;
use std::time::{Duration, Instant};

use resilience::InvalidSetting;
use resilience::breaker::{
    Breaker, BreakerConfig, BreakerOutcome, BreakerSettings, SlowCalls, Transition, WindowSize,
};

/// Many short rounds: the best of them was not interrupted, even on a busy machine.
const CALLS: u32 = 10_000;
const ROUNDS: u32 = 500;

fn main() -> Result<(), InvalidSetting> {
    report("two reads of the clock", || {
        black_box((tokio::time::Instant::now(), tokio::time::Instant::now()));
    });
    for (name, settings) in [
        ("closed, window of 100 calls", BreakerSettings::default()),
        (
            "closed, window of 10 s, slow calls",
            BreakerSettings {
                window: WindowSize::Time(Duration::from_secs(10)),
                slow_calls: Some(SlowCalls {
                    after: Duration::from_secs(1),
                    rate: 50,
                }),
                ..BreakerSettings::default()
            },
        ),
    ] {
        let breaker = breaker(settings)?;
        report(name, || succeed(&breaker));
    }

    let open = breaker(BreakerSettings::default())?;
    open.force_open();
    report("open, rejected", || drop(black_box(open.acquire())));

    let disabled = breaker(BreakerSettings::default())?;
    disabled.disable();
    report("disabled", || succeed(&disabled));

    let shared = breaker(BreakerSettings::default())?;
    for threads in [2, 4] {
        let name = format!("closed, {threads} threads at once, per call of each");
        let best = (0..ROUNDS).map(|_| contended(&shared, threads)).min();
        print(&name, best.unwrap_or_default());
    }

    let flapping = breaker(BreakerSettings {
        consecutive_failures: Some(1),
        ..BreakerSettings::default()
    })?;
    report("trip and reset (two transitions)", || {
        if let Ok(permit) = flapping.acquire() {
            permit.record(BreakerOutcome::Failure);
        }
        flapping.reset();
    });
    Ok(())
}

fn breaker(settings: BreakerSettings) -> Result<Breaker, InvalidSetting> {
    let observer = |transition: &Transition| {
        black_box(transition);
    };
    BreakerConfig::new(settings).map(|config| Breaker::new("bench", config, observer))
}

fn succeed(breaker: &Breaker) {
    if let Ok(permit) = black_box(breaker).acquire() {
        permit.record(BreakerOutcome::Success);
    }
}

fn report(name: &str, mut call: impl FnMut()) {
    let best = (0..ROUNDS)
        .map(|_| timed(&mut call))
        .min()
        .unwrap_or_default();
    print(name, best);
}

fn timed(call: &mut impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..CALLS).for_each(|_| call());
    began.elapsed()
}

fn contended(breaker: &Breaker, threads: u32) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| timed(&mut || succeed(breaker)));
        }
    });
    began.elapsed()
}

fn print(name: &str, took: Duration) {
    println!(
        "{name:<48} {:>7.1} ns",
        took.as_nanos() as f64 / f64::from(CALLS)
    );
}
