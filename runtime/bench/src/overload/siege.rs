//! The siege: requests that come whether or not earlier ones were answered (an open loop).
//!
//! Each has a moment at which it is due, and its answer is late by that: a platform that makes its callers wait is not
//! asked less often for it. Only the sockets are bounded. When all are taken, a request cannot be made at all, and is
//! counted as that.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::wire::{Wire, post};
use crate::samples::Samples;

/// More would not be let in at the port: it serves 1024 connections.
const SOCKETS: usize = 900;

/// How often it is looked whether requests are due.
const TICK: Duration = Duration::from_millis(1);

/// How long after the end the last answers are waited for; longer than any deadline of the platform.
const PATIENCE: Duration = Duration::from_secs(8);

/// What to offer.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Requests a second.
    pub rate: f64,
    /// For how long.
    pub span: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Reservations that were made, by how long after they were due.
    pub admitted: Samples,
    /// Of those, how many within the time of the siege.
    pub in_time: usize,
    /// Requests that were refused, 503, likewise.
    pub refused: Samples,
    /// Those that got another answer or none.
    pub lost: usize,
    /// Those for which no socket was left.
    pub unmade: usize,
    /// The most sockets that were open.
    pub sockets: usize,
}

/// One request that has ended.
struct Ended {
    wire: Option<Wire>,
    car: u64,
    due: Instant,
    at: Instant,
    status: io::Result<u16>,
}

#[derive(Default)]
struct Tally {
    admitted: Vec<Duration>,
    in_time: usize,
    refused: Vec<Duration>,
    lost: usize,
    unmade: usize,
}

/// Reserves `cars`, one after the other, each of which can be reserved once; one that was refused is still free.
pub async fn besiege(address: SocketAddr, cars: &mut VecDeque<u64>, offer: Offer) -> Outcome {
    let started = Instant::now();
    let until = started + offer.span;
    let mut tally = Tally::default();
    let mut free: Vec<Wire> = Vec::new();
    let mut underway = FuturesUnordered::new();
    let (mut offered, mut sockets) = (0_u64, 0);
    let mut tick = tokio::time::interval(TICK);
    let due_at = |number: u64| started + Duration::from_secs_f64(number as f64 / offer.rate);
    // Whatever holds us up, everything that is due is asked for, if late.
    while due_at(offered) < until {
        tokio::select! {
            biased;
            Some(ended) = underway.next() => tally.count(ended, until, cars, &mut free),
            _ = tick.tick() => {
                while let due = due_at(offered)
                    && due < until
                    && due <= Instant::now()
                {
                    offered += 1;
                    let wire = free.pop();
                    if wire.is_none() && underway.len() >= SOCKETS {
                        tally.unmade += 1;
                        continue;
                    }
                    let Some(car) = cars.pop_front() else {
                        tally.unmade += 1;
                        continue;
                    };
                    underway.push(reserve(address, wire, car, due));
                    sockets = sockets.max(underway.len() + free.len());
                }
            }
        }
    }
    let stragglers = async {
        while let Some(ended) = underway.next().await {
            tally.count(ended, until, cars, &mut free);
        }
    };
    // Who has no answer by then gets none.
    let _ = tokio::time::timeout(PATIENCE, stragglers).await;
    tally.lost += underway.len();
    Outcome {
        admitted: Samples::new(tally.admitted),
        in_time: tally.in_time,
        refused: Samples::new(tally.refused),
        lost: tally.lost,
        unmade: tally.unmade,
        sockets,
    }
}

async fn reserve(address: SocketAddr, wire: Option<Wire>, car: u64, due: Instant) -> Ended {
    let request = post(
        "/reservations",
        &format!(r#"{{"carId":{car},"status":"reqReserve"}}"#),
    );
    let exchange = async {
        let mut wire = match wire {
            Some(wire) => wire,
            None => Wire::open(address).await?,
        };
        let (status, stays_open) = wire.ask(&request).await?;
        io::Result::Ok((status, stays_open.then_some(wire)))
    };
    let (wire, status) = match exchange.await {
        Ok((status, wire)) => (wire, Ok(status)),
        Err(error) => (None, Err(error)),
    };
    Ended {
        wire,
        car,
        due,
        at: Instant::now(),
        status,
    }
}

impl Tally {
    fn count(
        &mut self,
        ended: Ended,
        until: Instant,
        cars: &mut VecDeque<u64>,
        free: &mut Vec<Wire>,
    ) {
        let took = ended.at.saturating_duration_since(ended.due);
        match ended.status {
            Ok(201) => {
                self.admitted.push(took);
                self.in_time += usize::from(ended.at <= until);
            }
            Ok(503) => {
                self.refused.push(took);
                cars.push_back(ended.car);
            }
            Ok(_) | Err(_) => self.lost += 1,
        }
        free.extend(ended.wire);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server that lets one in and refuses the next, on every connection.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    for status in ["201 Created", "503 Service Unavailable"].iter().cycle() {
                        if stream.read(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn every_request_that_is_due_is_counted_once() {
        let mut cars = (0..1000).collect();
        let offer = Offer {
            rate: 400.0,
            span: Duration::from_millis(500),
        };
        let outcome = besiege(server().await, &mut cars, offer).await;
        let counted = outcome.admitted.count() + outcome.refused.count();
        let all = counted + outcome.lost + outcome.unmade;
        assert_eq!(all, 200, "{outcome:?}");
        assert!(
            outcome.admitted.count() > 0 && outcome.refused.count() > 0,
            "{outcome:?}"
        );
        assert_eq!(cars.len(), 1000 - outcome.admitted.count());
    }

    #[tokio::test]
    async fn without_a_car_nothing_is_asked() {
        let offer = Offer {
            rate: 200.0,
            span: Duration::from_millis(100),
        };
        let outcome = besiege(server().await, &mut VecDeque::new(), offer).await;
        assert_eq!(outcome.unmade, 20, "{outcome:?}");
        assert_eq!(outcome.sockets, 0);
    }
}
