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

impl Measured {
    /// What went well, each second.
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::connection::Ask;
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const SHORT: Duration = Duration::from_millis(300);

    /// A server that answers each request with the next of `statuses`, over and over.
    async fn server(statuses: &'static [&'static str]) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    for status in statuses.iter().cycle() {
                        if stream.read(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nhi");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        Target::parse(&url).unwrap()
    }

    fn load(connections: usize) -> Load {
        Load {
            connections,
            span: SHORT,
        }
    }

    #[tokio::test]
    async fn what_was_not_expected_is_an_error_with_an_example() {
        let target = server(&["200 OK", "503 Service Unavailable"]).await;
        let measured = drive(&target, load(2), async |connection| {
            connection.ask(Ask::get("/cars")).await.map(|_| Turn::Done)
        })
        .await;
        assert!(measured.samples.count() > 0);
        assert!(
            measured.errors.abs_diff(measured.turns / 2) <= 2,
            "{measured:?}"
        );
        let example = measured.example.unwrap_or_default();
        assert!(example.starts_with("GET /cars answered 503"), "{example}");
        assert!(
            measured.elapsed > Duration::ZERO && measured.elapsed <= SHORT + PATIENCE,
            "{:?}",
            measured.elapsed
        );
    }

    #[tokio::test]
    async fn a_run_ends_when_nothing_is_left() {
        let target = server(&["200 OK"]).await;
        let left = Cell::new(5);
        let endless = Load {
            connections: 3,
            span: Duration::from_secs(3600),
        };
        let measured = drive(&target, endless, async |connection| {
            if left.get() == 0 {
                return Ok(Turn::NothingLeft);
            }
            left.set(left.get() - 1);
            connection.ask(Ask::get("/cars")).await.map(|_| Turn::Done)
        })
        .await;
        assert_eq!((measured.turns, measured.errors), (5, 0));
    }

    #[tokio::test]
    async fn a_platform_that_is_not_there_is_an_error_of_each_connection() {
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target::parse(&format!("http://{}", unused.local_addr().unwrap())).unwrap();
        drop(unused);
        let measured = drive(&target, load(3), async |_| Ok(Turn::Done)).await;
        assert_eq!((measured.errors, measured.samples.count()), (3, 0));
    }
}
