//! The port of the admin listener, and the files with its address. It has the guards of the public port: silent, idle and
//! slow connections, and those whose client does not read, make room for new ones, so that they lock no operator out.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use anyhow::Context as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;
use wasmtime_wasi_http::WasiBody;

use super::{ADDRESS_FILE, Admin, AdminError, RECEIVE_TIMEOUT, URL_FILE};
use crate::body::GuardedBody;
use crate::cli::AdminOptions;
use crate::trigger::http::answer_budget::AnswerBudget;
use crate::trigger::http::capacity::ConnectionCapacity;
use crate::trigger::http::connections::ConnectionTracker;
use crate::trigger::http::streams::{self, AnswerLimit};
use crate::trigger::http::{self, ClientInfo, HttpService};
use config::policy::ListenerLimits;

/// Connections at the same time.
const CAPACITY: ConnectionCapacity = ConnectionCapacity {
    admitted: 32,
    refused: 8,
};

/// How long requests in progress may still take when the platform stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A bound port and the files with its address, which are removed together with this value.
pub struct AdminListener {
    socket: TcpListener,
    file: AddressFiles,
}

/// The files with the address of the port: `admin` holds host and port, `admin-url` the URL.
struct AddressFiles(PathBuf);

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
        let file = AddressFiles(state.to_owned());
        for (name, text) in [
            (ADDRESS_FILE, format!("{address}\n")),
            (URL_FILE, format!("http://{address}\n")),
        ] {
            let path = state.join(name);
            std::fs::write(&path, text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
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

/// Removes the files that a killed host has left in its state directory. The caller holds the lock of the directory.
pub fn remove_stale_address(state: &Path) {
    drop(AddressFiles(state.to_owned()));
}

impl Drop for AddressFiles {
    fn drop(&mut self) {
        for name in [ADDRESS_FILE, URL_FILE] {
            // A file that remains leads to a refused connection.
            let _ = std::fs::remove_file(self.0.join(name));
        }
    }
}

/// The admin interface as the service of a listener.
pub struct AdminService {
    admin: Arc<Admin>,
    limits: Arc<ListenerLimits>,
    /// The answers that wait for their clients.
    answers: AnswerBudget,
}

// === impl AdminService ===

impl AdminService {
    /// The service with all its routes.
    pub fn new(admin: Arc<Admin>) -> Self {
        let limits = ListenerLimits {
            connections: CAPACITY.admitted,
            head_time: RECEIVE_TIMEOUT,
            ..ListenerLimits::default()
        };
        Self {
            admin,
            limits: Arc::new(limits),
            answers: AnswerBudget::default(),
        }
    }
}

impl HttpService for AdminService {
    fn limits(&self) -> Arc<ListenerLimits> {
        self.limits.clone()
    }

    fn drain_time(&self) -> Duration {
        DRAIN_TIMEOUT
    }

    async fn answer(&self, request: Request<Incoming>, client: &ClientInfo) -> Response<WasiBody> {
        let guard = client.connection.begin_request();
        // While the body arrives, a new client may take the place of this one.
        let arriving = client.connection.begin_body();
        let response = match client.admitted {
            true => self.admin.respond(request, arriving).await,
            false => AdminError::busy().into_response(),
        };
        let limit = AnswerLimit {
            answers: &self.answers,
            bytes: self.limits.answers,
        };
        response.map(|body| {
            let body = GuardedBody::new(body, guard).boxed_unsync();
            streams::watched(body, &client.connection, limit)
        })
    }
}

/// Serves until `stop`, then waits for the requests in progress, at most [`DRAIN_TIMEOUT`].
///
/// # Errors
/// Never; the type is that of every background task of the platform.
pub async fn serve(
    service: AdminService,
    listener: AdminListener,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let AdminListener { socket, file } = listener;
    let served = http::serve(
        Arc::new(service),
        ConnectionTracker::new(CAPACITY),
        socket,
        stop,
    );
    let served = served.await;
    drop(file);
    served
}
