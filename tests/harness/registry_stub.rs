//! A registry in memory that misbehaves on request: truncated and changed content, refusals, outages.
//!
//! It speaks the part of the distribution protocol that a push and a pull need, without TLS. What a real registry does
//! is tested with [`RegistryServer`](crate::RegistryServer).

mod body;
mod content;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::client::runtime;
use crate::payment_gateway::BodyEnd;
use body::ScriptedBody;
use content::{Content, ReceivedCall};

/// A registry on a free port of this machine. Dropping it closes its connections.
#[derive(Debug)]
pub struct RegistryStub {
    address: SocketAddr,
    state: Arc<Mutex<StubState>>,
    server: JoinHandle<()>,
}

/// How the registry answers in place of the right answer.
#[derive(Debug, Clone)]
pub enum RegistryFault {
    /// With this status and an error in the form of the protocol.
    Status(u16),
    /// With this status, and an error text that repeats the credentials of the request.
    Echo(u16),
    /// With this status and this value of `Retry-After`.
    RetryAfter(u16, &'static str),
    /// With other content of the same length.
    OtherContent,
    /// With the content and one byte more, in a complete response.
    LongContent,
    /// With half of the content, in a complete response.
    ShortContent,
    /// With half of the content that the response announces.
    PartialContent(BodyEnd),
    /// With content that never ends.
    Endless,
    /// With this text.
    Text(String),
    /// With a redirection to the same path at this address.
    Redirect(String),
    /// Not at all: the connection is closed.
    Disconnect,
    /// With 401, because every token that was issued so far has expired.
    ExpiredToken,
}

/// How the registry authenticates its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryLogin {
    /// With the user and password in each request.
    Basic,
    /// With a token of its own token server.
    Token,
}

#[derive(Debug, Default)]
struct StubState {
    content: Content,
    requests: Vec<String>,
    credentials_seen: usize,
    faults: Vec<PlannedFault>,
    login: Option<RegistryLogin>,
    expired_tokens: u32,
}

#[derive(Debug)]
struct PlannedFault {
    /// A part of "METHOD path".
    request: &'static str,
    fault: RegistryFault,
    /// How often it happens; always without a number.
    times: Option<u32>,
}

/// The user and the password that the registry accepts.
pub const REGISTRY_USER: (&str, &str) = ("deployer", "hunter2-hunter2");

// === impl RegistryStub ===

impl RegistryStub {
    /// Starts an empty registry that every client may use.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start() -> Self {
        let listener = runtime().block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap_or_else(|error| panic!("no port for the registry: {error}"));
        let address = listener
            .local_addr()
            .unwrap_or_else(|error| panic!("no address for the registry: {error}"));
        let state = Arc::<Mutex<StubState>>::default();
        let server = runtime().spawn(serve(listener, address, Arc::clone(&state)));
        Self {
            address,
            state,
            server,
        }
    }

    /// Asks for the credentials [`REGISTRY_USER`] from now on.
    pub fn require_login(&self, login: RegistryLogin) {
        self.state.lock().login = Some(login);
    }

    /// The host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The reference of an application in this registry, such as `127.0.0.1:4711/app:1`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// Answers every request whose "METHOD path" contains `request` with a fault.
    pub fn fail(&self, request: &'static str, fault: RegistryFault) {
        self.plan(request, fault, None);
    }

    /// Answers the next requests of this kind with a fault, this many times.
    pub fn fail_times(&self, times: u32, request: &'static str, fault: RegistryFault) {
        self.plan(request, fault, Some(times));
    }

    fn plan(&self, request: &'static str, fault: RegistryFault, times: Option<u32>) {
        self.state.lock().faults.push(PlannedFault {
            request,
            fault,
            times,
        });
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Stops the registry: the system refuses connections.
    pub fn close(&self) {
        self.server.abort();
    }

    /// "METHOD path" of each request so far.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.state.lock().requests.clear();
    }

    /// The number of requests that carried credentials.
    pub fn credentials_seen(&self) -> usize {
        self.state.lock().credentials_seen
    }

    /// Stores a blob and returns its digest.
    pub fn put_blob(&self, blob: &[u8]) -> String {
        self.state.lock().content.put_blob(blob.to_vec().into())
    }

    /// Stores a manifest under a name with a tag, such as `app:1`, and returns its digest.
    pub fn put_manifest(&self, name: &str, manifest: &[u8]) -> String {
        let (name, tag) = name.split_once(':').unwrap_or((name, "latest"));
        let manifest = manifest.to_vec().into();
        self.state.lock().content.put_manifest(name, tag, manifest)
    }

    /// The manifest with this tag or digest.
    ///
    /// # Panics
    /// When there is none.
    pub fn manifest(&self, name: &str, version: &str) -> serde_json::Value {
        let found = self.state.lock().content.manifest(name, version);
        let found = found.unwrap_or_else(|| panic!("no manifest {name}:{version}"));
        serde_json::from_slice(&found).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The blob with this digest.
    ///
    /// # Panics
    /// When there is none.
    pub fn blob(&self, digest: &str) -> Bytes {
        let found = self.state.lock().content.blob(digest);
        found.unwrap_or_else(|| panic!("no blob {digest}"))
    }
}

impl Drop for RegistryStub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

// === impl StubState ===

impl StubState {
    fn planned(&mut self, request: &str) -> Option<RegistryFault> {
        let is_due =
            |fault: &&mut PlannedFault| request.contains(fault.request) && fault.times != Some(0);
        let due = self.faults.iter_mut().find(is_due)?;
        due.times = due.times.map(|times| times - 1);
        Some(due.fault.clone())
    }

    /// The token that is valid now.
    fn token(&self) -> String {
        format!("token-of-the-registry-{}", self.expired_tokens)
    }

    /// The answer to a client that has not logged in as the registry wants it.
    fn challenge(
        &self,
        call: &ReceivedCall,
        address: SocketAddr,
    ) -> Option<Response<ScriptedBody>> {
        let (user, password) = REGISTRY_USER;
        let is_basic = call.basic().as_deref() == Some(&format!("{user}:{password}"));
        let is_token_request = call.path == "/token";
        let (is_accepted, challenge) = match self.login? {
            _ if is_token_request => (is_basic, "Basic realm=\"tokens\"".to_owned()),
            RegistryLogin::Basic => (is_basic, "Basic realm=\"stub\"".to_owned()),
            RegistryLogin::Token => (
                call.authorization.as_deref() == Some(&format!("Bearer {}", self.token())),
                format!("Bearer realm=\"http://{address}/token\",service=\"stub\""),
            ),
        };
        let mut refused = answer(401, error("UNAUTHORIZED", "authentication required"));
        let challenge = challenge.parse().ok()?;
        refused.headers_mut().insert("www-authenticate", challenge);
        (!is_accepted).then_some(refused)
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, state: Arc<Mutex<StubState>>) {
    // The connections end with this task.
    let mut connections = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| respond(request, address, Arc::clone(&state)));
        connections.spawn(async move {
            // Connections that break are part of the tests.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(connection), service)
                .await;
        });
    }
}

/// An error of this function closes the connection.
async fn respond(
    request: Request<Incoming>,
    address: SocketAddr,
    state: Arc<Mutex<StubState>>,
) -> Result<Response<ScriptedBody>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "the client is away")?;
    let call = ReceivedCall::new(&head, body.to_bytes());
    let line = format!("{} {}", call.method, call.path);
    let mut state = state.lock();
    state.requests.push(line.clone());
    state.credentials_seen += usize::from(call.authorization.is_some());
    if let Some(refused) = state.challenge(&call, address) {
        return Ok(refused);
    }
    let fault = state.planned(&line);
    if matches!(fault, Some(RegistryFault::ExpiredToken)) {
        state.expired_tokens += 1;
        return state
            .challenge(&call, address)
            .ok_or("no login is required");
    }
    let right = match call.path.as_str() {
        "/token" => Response::new(format!("{{\"token\":\"{}\"}}", state.token()).into()),
        _ => state.content.answer(&call),
    };
    match fault {
        None => Ok(right.map(ScriptedBody::whole)),
        Some(fault) => faulty(fault, right, &call),
    }
}

fn faulty(
    fault: RegistryFault,
    right: Response<Bytes>,
    call: &ReceivedCall,
) -> Result<Response<ScriptedBody>, &'static str> {
    let (mut head, content) = right.into_parts();
    let half = content.slice(..content.len() / 2);
    let body = match fault {
        RegistryFault::Disconnect | RegistryFault::ExpiredToken => return Err("disconnected"),
        RegistryFault::Status(status) => return Ok(answer(status, error("DENIED", "no"))),
        RegistryFault::Echo(status) => {
            let sent = call.authorization.clone().unwrap_or_default();
            let decoded = call.basic().unwrap_or_default();
            let text = format!("you sent {sent}, that is {decoded}");
            return Ok(answer(status, error(&decoded, &text)));
        }
        RegistryFault::RetryAfter(status, value) => {
            let mut busy = answer(status, error("TOOMANYREQUESTS", "busy"));
            let value = http::HeaderValue::from_static(value);
            busy.headers_mut().insert("retry-after", value);
            return Ok(busy);
        }
        RegistryFault::Redirect(base) => {
            let mut moved = answer(307, ScriptedBody::whole(""));
            let target = format!("{base}{}", call.path)
                .parse()
                .map_err(|_| "no address")?;
            moved.headers_mut().insert("location", target);
            return Ok(moved);
        }
        RegistryFault::OtherContent => {
            let other: Vec<u8> = content.iter().map(|byte| byte ^ 1).collect();
            ScriptedBody::whole(other)
        }
        RegistryFault::LongContent => ScriptedBody::whole([&content[..], b"x"].concat()),
        RegistryFault::ShortContent => ScriptedBody::whole(half),
        RegistryFault::PartialContent(end) => ScriptedBody::partial(half, content.len(), end),
        RegistryFault::Endless => ScriptedBody::endless(),
        RegistryFault::Text(text) => ScriptedBody::whole(text),
    };
    head.headers.remove("content-length");
    Ok(Response::from_parts(head, body))
}

fn error(code: &str, message: &str) -> ScriptedBody {
    let errors = serde_json::json!({"errors": [{"code": code, "message": message}]});
    ScriptedBody::whole(errors.to_string())
}

fn answer(status: u16, body: ScriptedBody) -> Response<ScriptedBody> {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    answer
}
