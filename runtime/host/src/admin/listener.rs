//! The port of the admin listener: HTTP/1.1, a bounded number of connections, and a file that tells where it is.

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
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{info, trace, warn};

use super::{ADDRESS_FILE, Admin, PATIENCE};
use crate::cli::AdminOptions;

/// Connections that are served at the same time; the next one waits.
const CONNECTIONS: usize = 64;

/// How long requests in flight may still take when the platform stops.
const DRAIN: Duration = Duration::from_secs(5);

/// How long to wait before accepting again when the process is out of file descriptors.
const BREATHER: Duration = Duration::from_millis(50);

/// A bound port, and the file that tells where it is; the file goes with it.
pub struct Listener {
    socket: TcpListener,
    file: PathBuf,
}

// === impl Listener ===

impl Listener {
    /// Binds the port and writes down where it is.
    ///
    /// # Errors
    /// When the port is taken, or the state directory cannot be written to.
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
        info!(%address, "operators are listened to");
        Ok(Self { socket, file })
    }

    /// Where it is.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Who finds the file nevertheless finds nobody there.
        let _ = std::fs::remove_file(&self.file);
    }
}

/// Serves until told to stop, then lets the requests in flight finish.
///
/// # Errors
/// Never; it shares its type with the other parts of the platform.
pub async fn serve(
    admin: Arc<Admin>,
    listener: Listener,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener.socket, &places) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "cannot accept an operator's connection");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        let admin = admin.clone();
        let service = service_fn(move |request| {
            let admin = admin.clone();
            async move { Ok::<_, Infallible>(admin.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                trace!(%error, "operator's connection ended");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        warn!("an operator's request did not finish while draining");
    }
    Ok(())
}

async fn accept(
    socket: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await;
    let place = place.map_err(std::io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, place))
}
