//! The public listener: accepts connections, bounds their number, and drains them when the platform stops.
//!
//! HTTP/1.1 and HTTP/2 without TLS share one port. When the limit of connections is reached, the connection that has
//! been idle longest makes room; if none is idle, the new client gets 503 instead of having to wait. The health paths
//! of the host answer even then.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Server;
use super::connection::Connection;
use super::connections::ConnectionTracker;
use super::rejections::{self, RejectionReason};
use crate::accept::accept;

/// How often overdue connections are looked for.
const OVERDUE_CHECK_INTERVAL: Duration = Duration::from_millis(250);

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
    server: Arc<Server>,
    listener: TcpListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let tracker = Arc::<ConnectionTracker>::default();
    rejections::register_metrics();
    let mut connections = JoinSet::new();
    let mut overdue_check = tokio::time::interval(OVERDUE_CHECK_INTERVAL);
    loop {
        let (stream, client) = tokio::select! {
            accepted = accept(&listener) => accepted,
            _ = overdue_check.tick() => {
                tracker.close_overdue(&server.limits(), Instant::now());
                continue;
            }
            Some(_) = connections.join_next() => continue,
            () = stop.cancelled() => break,
        };
        let limits = server.limits();
        let Some(tracked) = tracker.open(limits.connections) else {
            debug!(%client, "too many connections, even for a refusal");
            RejectionReason::Crowded.count();
            continue;
        };
        let connection = Connection {
            server: server.clone(),
            limits,
            client,
            tracked,
        };
        connections.spawn(connection.serve(stream, stop.clone()));
    }
    drop(listener);
    drain(&server, &tracker, connections).await;
    Ok(())
}

async fn drain(server: &Server, tracker: &ConnectionTracker, mut connections: JoinSet<()>) {
    let timeout = server.current.get().drain_time();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(timeout, drained).await.is_err() {
        warn!(
            connections = tracker.count(),
            "some requests did not finish while draining"
        );
    }
}
