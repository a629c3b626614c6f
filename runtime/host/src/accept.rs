//! Accepting connections, for the public and the admin listener.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

/// How long to wait before the next attempt after a failed one, such as without a free file descriptor.
const RETRY_DELAY: Duration = Duration::from_millis(50);

/// The next connection, without Nagle's delay. A failed attempt is logged and repeated: neither a connection that
/// vanished nor a shortage of file descriptors ends the platform. Cancel safe.
pub async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    debug!(%client, %error, "cannot switch off Nagle's delay");
                }
                return (stream, client);
            }
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(RETRY_DELAY).await;
            }
        }
    }
}
