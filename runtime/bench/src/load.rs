//! Closed-loop load: one worker for each connection, which sends its next request after the response to the last one.
//!
//! A slow platform therefore receives fewer requests, and its latencies belong to that lower rate: compare latencies only
//! together with the rates. All workers run on one thread, because the other core is left to the platform.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::connection::{Connection, Target};
use super::samples::Samples;

/// Warm-up before the measurement: the platform creates instances and fills its caches.
const WARM_UP: Duration = Duration::from_millis(300);

/// Time limit for the last response after the end of the load; longer than every deadline of the platform.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after an error, so that an unreachable platform is not called in a busy loop.
const ERROR_PAUSE: Duration = Duration::from_millis(5);

/// Size and duration of a load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    pub span: Duration,
}

/// Result of one successful iteration of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iteration {
    /// The expected response was received.
    Done,
    /// No work is left; the worker ends.
    NothingLeft,
}

/// Measurements of one load.
#[derive(Debug, Default)]
pub struct Measured {
    /// Latencies of the successful iterations after the warm-up.
    pub samples: Samples,
    /// Time from the end of the warm-up to the last successful response.
    pub elapsed: Duration,
    /// Number of failed iterations, including the warm-up.
    pub errors: usize,
    /// Text of the first error.
    pub example: Option<String>,
    /// Number of all iterations, including the warm-up and errors.
    pub iterations: usize,
}

impl Measured {
    /// Returns the successful iterations per second.
    pub fn per_second(&self) -> f64 {
        match self.samples.count() {
            0 => 0.0,
            count => count as f64 / self.elapsed.as_secs_f64(),
        }
    }
}

#[derive(Default)]
struct Worker {
    latencies: Vec<Duration>,
    iterations: usize,
    errors: usize,
    example: Option<String>,
    last: Option<Instant>,
}

/// Runs `work` repeatedly on every connection until the time has elapsed or no work is left.
pub async fn drive(
    target: &Target,
    load: Load,
    work: impl AsyncFn(&mut Connection) -> anyhow::Result<Iteration>,
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
        measured.iterations += worker.iterations;
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
        work: &impl AsyncFn(&mut Connection) -> anyhow::Result<Iteration>,
    ) -> Self {
        let mut worker = Self::default();
        let mut connection = match target.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                worker.fail(&error);
                return worker;
            }
        };
        let deadline = tokio::time::Instant::from_std(until + RESPONSE_TIMEOUT);
        loop {
            let sent_at = Instant::now();
            if sent_at >= until {
                return worker;
            }
            let iteration = tokio::time::timeout_at(deadline, work(&mut connection)).await;
            match iteration {
                Ok(Ok(Iteration::Done)) => worker.succeed(sent_at, measured_from),
                Ok(Ok(Iteration::NothingLeft)) => return worker,
                Ok(Err(error)) => {
                    worker.fail(&error);
                    tokio::time::sleep(ERROR_PAUSE).await;
                }
                Err(_) => worker.fail(&anyhow::anyhow!(
                    "no response within {RESPONSE_TIMEOUT:?} after the end of the load"
                )),
            }
        }
    }

    fn succeed(&mut self, sent_at: Instant, measured_from: Instant) {
        let now = Instant::now();
        self.iterations += 1;
        if sent_at >= measured_from {
            self.latencies.push(now.saturating_duration_since(sent_at));
            self.last = Some(now);
        }
    }

    fn fail(&mut self, error: &anyhow::Error) {
        self.iterations += 1;
        self.errors += 1;
        self.example.get_or_insert_with(|| format!("{error:#}"));
    }
}

#[cfg(test)]
mod tests;
