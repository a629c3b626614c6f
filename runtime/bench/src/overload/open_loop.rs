//! Open-loop load: requests are sent at a fixed rate, whether or not earlier requests were answered.
//!
//! Each request has a due time, and its latency is measured from that time: a platform that delays its callers does not
//! receive fewer requests. Only the number of sockets is bounded. A request that is due while all sockets are in use is
//! not sent and is counted as `unmade`.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;

use super::raw_connection::{RawConnection, post};
use crate::samples::Samples;

/// Maximum number of sockets; the listener of the platform serves at most 1024 connections.
const MAX_SOCKETS: usize = 900;

/// Interval at which due requests are sent.
const TICK: Duration = Duration::from_millis(1);

/// Time limit for the last responses after the end of the load; longer than every deadline of the platform.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(8);

/// Rate and duration of an open-loop load.
#[derive(Clone, Copy, Debug)]
pub struct OfferedLoad {
    /// Requests per second.
    pub rate: f64,
    /// Duration of the load.
    pub span: Duration,
}

/// Results of an open-loop load.
#[derive(Debug, Default)]
pub struct OverloadOutcome {
    /// Latencies of the reservations that were made, measured from the due time.
    pub admitted: Samples,
    /// Number of admitted requests that were answered before the end of the load.
    pub in_time: usize,
    /// Latencies of the requests rejected with 503, measured from the due time.
    pub refused: Samples,
    /// Number of requests with another response or without one.
    pub lost: usize,
    /// Number of requests that were due but not sent, because no socket or no car was free.
    pub unmade: usize,
    /// Peak number of open sockets.
    pub sockets: usize,
}

/// One completed request.
struct Ended {
    connection: Option<RawConnection>,
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

/// Reserves each of `cars` at most once; the car of a rejected request is free again and is tried later.
pub async fn offer_load(
    address: SocketAddr,
    cars: &mut VecDeque<u64>,
    offer: OfferedLoad,
) -> OverloadOutcome {
    let started = Instant::now();
    let until = started + offer.span;
    let mut tally = Tally::default();
    let mut free: Vec<RawConnection> = Vec::new();
    let mut in_flight = FuturesUnordered::new();
    let (mut offered, mut sockets) = (0_u64, 0);
    let mut tick = tokio::time::interval(TICK);
    let due_at = |number: u64| started + Duration::from_secs_f64(number as f64 / offer.rate);
    // A late iteration of this loop still sends every request that is due.
    while due_at(offered) < until {
        tokio::select! {
            biased;
            Some(ended) = in_flight.next() => tally.count(ended, until, cars, &mut free),
            _ = tick.tick() => {
                while let due = due_at(offered)
                    && due < until
                    && due <= Instant::now()
                {
                    offered += 1;
                    let connection = free.pop().and_then(RawConnection::if_open);
                    if connection.is_none() && in_flight.len() >= MAX_SOCKETS {
                        tally.unmade += 1;
                        continue;
                    }
                    let Some(car) = cars.pop_front() else {
                        tally.unmade += 1;
                        continue;
                    };
                    in_flight.push(reserve(address, connection, car, due));
                    sockets = sockets.max(in_flight.len() + free.len());
                }
            }
        }
    }
    let remaining = async {
        while let Some(ended) = in_flight.next().await {
            tally.count(ended, until, cars, &mut free);
        }
    };
    // Requests without a response at the timeout are counted as lost.
    let _ = tokio::time::timeout(RESPONSE_TIMEOUT, remaining).await;
    tally.lost += in_flight.len();
    OverloadOutcome {
        admitted: Samples::new(tally.admitted),
        in_time: tally.in_time,
        refused: Samples::new(tally.refused),
        lost: tally.lost,
        unmade: tally.unmade,
        sockets,
    }
}

async fn reserve(
    address: SocketAddr,
    connection: Option<RawConnection>,
    car: u64,
    due: Instant,
) -> Ended {
    let request = post(
        "/reservations",
        &format!(r#"{{"carId":{car},"status":"reqReserve"}}"#),
    );
    let exchange = async {
        let mut connection = match connection {
            Some(connection) => connection,
            None => RawConnection::open(address).await?,
        };
        let (status, stays_open) = connection.send(&request).await?;
        io::Result::Ok((status, stays_open.then_some(connection)))
    };
    let (connection, status) = match exchange.await {
        Ok((status, connection)) => (connection, Ok(status)),
        Err(error) => (None, Err(error)),
    };
    Ended {
        connection,
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
        free: &mut Vec<RawConnection>,
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
        free.extend(ended.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Starts a server that answers 201 and 503 alternately on every connection.
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
    async fn every_due_request_is_counted_exactly_once() {
        let mut cars = (0..1000).collect();
        let offer = OfferedLoad {
            rate: 400.0,
            span: Duration::from_millis(500),
        };
        let outcome = offer_load(server().await, &mut cars, offer).await;
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
    async fn without_a_free_car_no_request_is_sent() {
        let offer = OfferedLoad {
            rate: 200.0,
            span: Duration::from_millis(100),
        };
        let outcome = offer_load(server().await, &mut VecDeque::new(), offer).await;
        assert_eq!(outcome.unmade, 20, "{outcome:?}");
        assert_eq!(outcome.sockets, 0);
    }
}
