//! The port of the admin listener: HTTP/1.1, a bounded number of connections, and a file with its address.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{info, trace, warn};

use super::{ADDRESS_FILE, Admin, RECEIVE_TIMEOUT};
use crate::accept;
use crate::cli::AdminOptions;

/// Connections at the same time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// How long requests in progress may still take when the platform stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A bound port and the file with its address, which is removed together with this value.
pub struct AdminListener {
    socket: TcpListener,
    file: PathBuf,
}

// === impl AdminListener ===

impl AdminListener {
    /// Binds the port and writes its address to the file `admin` of the state directory.
    ///
    /// # Errors
    /// When the port is in use, or the state directory cannot be written to.
    pub async fn bind(options: &AdminOptions, state: &Path) -> anyhow::Result<Self> {
        let address = options.admin_listen;
        let socket = TcpListener::bind(address).await;
        let socket = socket.with_context(|| {
            format!("cannot listen on {address}: choose another address with --admin-listen")
        })?;
        let address = socket.local_addr()?;
        let file = state.join(ADDRESS_FILE);
        std::fs::write(&file, format!("{address}\n"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        info!(%address, "admin listener is open");
        Ok(Self { socket, file })
    }

    /// The address of the port.
    ///
    /// # Errors
    /// When the operating system does not return it.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Drop for AdminListener {
    fn drop(&mut self) {
        // A file that remains leads to a refused connection.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Serves until `stop`, then waits for the requests in progress, at most [`DRAIN_TIMEOUT`].
///
/// # Errors
/// Never in practice: the semaphore of the connections is never closed.
pub async fn serve(
    admin: Arc<Admin>,
    listener: AdminListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept_permitted(&listener.socket, &permits) => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, permit) = accepted?;
        let admin = admin.clone();
        let service = service_fn(move |request| {
            let admin = admin.clone();
            async move { Ok::<_, Infallible>(admin.respond(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(RECEIVE_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                trace!(%error, "admin connection ended");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("an admin request did not finish while draining");
    }
    Ok(())
}

async fn accept_permitted(
    socket: &TcpListener,
    permits: &Arc<Semaphore>,
) -> anyhow::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await?;
    let (stream, _) = accept::accept(socket).await;
    Ok((stream, permit))
}
