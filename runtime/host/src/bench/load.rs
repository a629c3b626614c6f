//! The load: as many workers as connections, each of which asks again as soon as it has its answer (a closed loop).
//!
//! A slow platform is therefore asked less often, and its latencies are those of that lower rate: compare latencies
//! together with the rates beside them. Everything runs on one thread, for the other core is the platform's.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::connection::{Connection, Target};
use super::samples::Samples;

/// Asked before the clock starts: instances are made, caches filled.
const WARM_UP: Duration = Duration::from_millis(300);

/// How long after its time a last answer is waited for; longer than any deadline of the platform.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pause after an error, so that a platform that is gone is not asked a million times.
const BREATHER: Duration = Duration::from_millis(5);

/// How much is asked.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    pub span: Duration,
}

/// What one turn of a worker came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What was expected.
    Done,
    /// There is nothing left to ask for; the worker ends.
    NothingLeft,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Measured {
    /// Latencies of what went well, after the warm-up.
    pub samples: Samples,
    /// From the end of the warm-up to the last answer.
    pub elapsed: Duration,
    /// What did not go well, warm-up included.
    pub errors: usize,
    /// The first of them.
    pub example: Option<String>,
    /// All turns, warm-up and errors included.
    pub turns: usize,
}

#[derive(Default)]
struct Worker {
    latencies: Vec<Duration>,
    turns: usize,
    errors: usize,
    example: Option<String>,
    last: Option<Instant>,
}

/// Runs `work` on every connection, over and over, until the time is up or nothing is left.
pub async fn drive(
    target: &Target,
    load: Load,
    work: impl AsyncFn(&mut Connection) -> anyhow::Result<Turn>,
) -> Measured {
    let started = Instant::now();
    let measured_from = started + WARM_UP.min(load.span);
    let until = measured_from + load.span;
    let workers: FuturesUnordered<_> = (0..load.connections)
        .map(|_| Worker::run(target, measured_from, until, &work))
        .collect();
    let workers: Vec<Worker> = workers.collect().await;
    merge(workers, measured_from)
}

fn merge(workers: Vec<Worker>, measured_from: Instant) -> Measured {
    let mut measured = Measured::default();
    let mut latencies = Vec::new();
    let last = workers.iter().filter_map(|worker| worker.last).max();
    for worker in workers {
        latencies.extend(worker.latencies);
        measured.turns += worker.turns;
        measured.errors += worker.errors;
        measured.example = measured.example.or(worker.example);
    }
    measured.samples = Samples::new(latencies);
    measured.elapsed = last.map_or(Duration::ZERO, |last| {
        last.saturating_duration_since(measured_from)
    });
    measured
}

// === impl Worker ===

impl Worker {
    async fn run(
        target: &Target,
        measured_from: Instant,
        until: Instant,
        work: &impl AsyncFn(&mut Connection) -> anyhow::Result<Turn>,
    ) -> Self {
        let mut worker = Self::default();
        let mut connection = match target.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                worker.fail(&error);
                return worker;
            }
        };
        let patience = tokio::time::Instant::from_std(until + PATIENCE);
        loop {
            let asked = Instant::now();
            if asked >= until {
                return worker;
            }
            let turn = tokio::time::timeout_at(patience, work(&mut connection)).await;
            match turn {
                Ok(Ok(Turn::Done)) => worker.succeed(asked, measured_from),
                Ok(Ok(Turn::NothingLeft)) => return worker,
                Ok(Err(error)) => {
                    worker.fail(&error);
                    tokio::time::sleep(BREATHER).await;
                }
                Err(_) => worker.fail(&anyhow::anyhow!(
                    "no answer within {PATIENCE:?} after the end"
                )),
            }
        }
    }

    fn succeed(&mut self, asked: Instant, measured_from: Instant) {
        let now = Instant::now();
        self.turns += 1;
        if asked >= measured_from {
            self.latencies.push(now.saturating_duration_since(asked));
            self.last = Some(now);
        }
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.turns += 1;
        self.errors += 1;
        self.example.get_or_insert_with(|| format!("{error:#}"));
    }
}
