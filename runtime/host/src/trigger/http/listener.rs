//! A listener: accepts connections, bounds their number, and drains them when the platform stops. The public port and
//! the admin port are listeners with different services.
//!
//! HTTP/1.1 and HTTP/2 without TLS share one port. When the limit of connections is reached, a connection whose client
//! does not read, or that is idle, makes room ([`super::connections`]); if there is none, the new client gets 503 instead
//! of having to wait. The health paths of the host answer even then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::Connection;
use super::connections::{ConnectionTracker, TrackedConnection};
use super::rejections::RejectionReason;
use super::service::HttpService;
use crate::accept::accept;

/// How often overdue connections are looked for.
const OVERDUE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// How often, and how many times, a place is looked for that another connection is about to leave.
const WAIT_FOR_PLACE: Duration = Duration::from_millis(2);
const MAX_WAITS: u32 = 10;

/// Binds the port.
///
/// # Errors
/// When the port is in use or not allowed; the message names it and the remedy.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{address} is in use by another program: stop it, or choose another address with --listen {}:0",
            address.ip()
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen on {address}")),
    })
}

/// Serves until `stop`, then waits for the requests in progress, at most as long as the slowest may take.
///
/// # Errors
/// Never; the type is that of every background task of the platform.
pub async fn serve(
    service: Arc<impl HttpService>,
    tracker: Arc<ConnectionTracker>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    let mut overdue_check = tokio::time::interval(OVERDUE_CHECK_INTERVAL);
    loop {
        let (stream, client) = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = overdue_check.tick() => {
                tracker.close_overdue(&service.limits(), Instant::now());
                continue;
            }
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let limits = service.limits();
        let Some(tracked) = open(&tracker, limits.connections).await else {
            debug!(%client, "too many connections, even for a refusal");
            RejectionReason::Crowded.count();
            continue;
        };
        let connection = Connection {
            service: service.clone(),
            limits,
            client,
            tracked,
        };
        connections.spawn(connection.serve(stream, stop.clone()));
    }
    drop(listener);
    drain(service.drain_time(), &tracker, connections).await;
    Ok(())
}

/// Tracks a new connection. If there is no place, it waits for the connection that makes room.
async fn open(tracker: &Arc<ConnectionTracker>, limit: usize) -> Option<TrackedConnection> {
    let mut waits = 0;
    loop {
        let tracked = tracker.open(limit);
        if tracked.is_some() || waits == MAX_WAITS {
            return tracked;
        }
        waits += 1;
        tokio::time::sleep(WAIT_FOR_PLACE).await;
    }
}

async fn drain(timeout: Duration, tracker: &ConnectionTracker, mut connections: JoinSet<()>) {
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, drained).await.is_err() {
        warn!(
            connections = tracker.count(),
            "some requests did not finish while draining"
        );
    }
}
