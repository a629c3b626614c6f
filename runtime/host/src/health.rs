//! Health paths: `/livez`, `/readyz`, `/actuator/health` and the health path of Spin.
//!
//! Live means that the runtimes of this process make progress: the one of requests and the one of events. Ready means
//! that the host accepts new calls, that an instance of each component can be created, and that every store, database
//! and the event log keep what is written. A component that fails or is overloaded changes neither: a restart of the
//! process would not repair it, and removing the host from service would also remove its healthy components.
//! `/readyz?verbose` names each check and the cause of a failure; the checks are done by [`crate::app`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use parking_lot::RwLock;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::problem::Problem;

/// Interval of the heartbeats.
const INTERVAL: Duration = Duration::from_secs(1);

/// Age of a heartbeat from which the process counts as hung. A busy machine delays a heartbeat by far less.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);

/// The paths that the host answers itself.
const HEALTH_PATHS: [&str; 7] = [
    "/livez",
    "/readyz",
    "/actuator/health",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    "/.well-known/spin/health",
    "/.well-known/spin/info",
];

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");

/// State that the health paths report.
#[derive(Clone)]
pub struct Health {
    application: Arc<RwLock<Application>>,
    serving: Arc<AtomicBool>,
    checks: Arc<RwLock<Vec<CheckResult>>>,
    heartbeats: Arc<[RwLock<Instant>; 2]>,
}

/// The result of one readiness check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// What was checked.
    pub name: String,
    /// Why the host is not ready, if it is not.
    pub cause: Option<String>,
}

/// The runtimes that send heartbeats.
#[derive(Clone, Copy, Debug)]
pub enum HeartbeatSource {
    Requests,
    Events,
}

struct Application {
    name: String,
    version: String,
}

impl Health {
    /// Creates the state of a host that is not serving yet.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            application: Arc::new(RwLock::new(Application::new(name, version))),
            serving: Arc::default(),
            checks: Arc::default(),
            heartbeats: Arc::new([Instant::now(); 2].map(RwLock::new)),
        }
    }

    /// Changes the name and version of the application, after a reload.
    pub fn rename(&self, name: &str, version: &str) {
        *self.application.write() = Application::new(name, version);
    }

    /// The host serves from now on.
    pub fn start_serving(&self) {
        self.serving.store(true, Ordering::Release);
    }

    /// The host serves no new requests from now on.
    pub fn stop_serving(&self) {
        self.serving.store(false, Ordering::Release);
    }

    /// Sends heartbeats until `stop` is cancelled. The task shares its runtime with others and is delayed when they are.
    ///
    /// # Errors
    /// Never; the result has the type of the other background tasks.
    pub async fn send_heartbeats(
        self,
        source: HeartbeatSource,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            *self.heartbeats[source as usize].write() = Instant::now();
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    fn is_live(&self, now: Instant) -> bool {
        // A stopping host sends no heartbeats. It must not be killed while it drains.
        let is_stopping = !self.serving.load(Ordering::Acquire);
        is_stopping
            || self
                .heartbeats
                .iter()
                .all(|heartbeat| now < *heartbeat.read() + HEARTBEAT_TIMEOUT)
    }

    /// Replaces the results of the readiness checks. A change is logged with its cause.
    pub fn report(&self, checks: Vec<CheckResult>) {
        let mut last = self.checks.write();
        for check in &checks {
            let before = last.iter().find(|before| before.name == check.name);
            let before = before.and_then(|before| before.cause.as_ref());
            match (before, &check.cause) {
                (None, Some(cause)) => warn!(check = check.name, cause, "not ready"),
                (Some(_), None) => info!(check = check.name, "ready again"),
                _ => {}
            }
        }
        *last = checks;
    }

    fn is_ready(&self) -> bool {
        let is_serving = self.serving.load(Ordering::Acquire);
        is_serving && self.checks.read().iter().all(|check| check.cause.is_none())
    }

    /// One line for each check, with its cause.
    fn explain(&self) -> String {
        let serving = CheckResult {
            name: "serving".to_owned(),
            cause: match self.serving.load(Ordering::Acquire) {
                true => None,
                false => Some("the host starts or stops".to_owned()),
            },
        };
        let checks = self.checks.read();
        let lines = std::iter::once(&serving).chain(&*checks);
        lines
            .map(|CheckResult { name, cause }| match cause {
                None => format!("[+] {name} ok\n"),
                Some(cause) => format!("[-] {name}: {cause}\n"),
            })
            .collect()
    }

    /// Whether the path is one of the health paths.
    pub fn is_health_path(&self, path: &str) -> bool {
        HEALTH_PATHS.contains(&path)
    }

    /// Returns the response when the path is one of the health paths.
    pub fn answer(&self, uri: &Uri, method: &Method) -> Option<Response<WasiBody>> {
        let ready = self.is_ready();
        let (status, word) = match ready {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_SERVICE"),
        };
        let live = self.is_live(Instant::now());
        let (live_status, alive) = match live {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "DOWN"),
        };
        let response = match uri.path() {
            "/livez" => text(live_status, if live { "ok" } else { "wedged" }),
            "/readyz" if is_verbose(uri) => {
                let result = if ready { "ok" } else { "not ready" };
                answer(
                    status,
                    "text/plain",
                    format!("{}{result}\n", self.explain()),
                )
            }
            "/readyz" => text(status, if ready { "ok" } else { "not ready" }),
            "/actuator/health" => object(status, &json!({ "status": word })),
            "/actuator/health/liveness" => object(live_status, &json!({ "status": alive })),
            "/actuator/health/readiness" => object(status, &json!({ "status": word })),
            "/.well-known/spin/health" => text(StatusCode::OK, "OK"),
            "/.well-known/spin/info" => {
                let application = self.application.read();
                let (name, version) = (&application.name, &application.version);
                object(StatusCode::OK, &json!({ "name": name, "version": version }))
            }
            _ => return None,
        };
        Some(match *method {
            Method::GET | Method::HEAD => response,
            Method::OPTIONS => options(),
            _ => method_not_allowed(),
        })
    }
}

impl Application {
    fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
        }
    }
}

/// Whether the query has the parameter `verbose`.
fn is_verbose(uri: &Uri) -> bool {
    let parameters = uri.query().unwrap_or_default().split('&');
    parameters
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .any(|(name, value)| name == "verbose" && !matches!(value, "0" | "false"))
}

fn text(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    answer(status, "text/plain", text.to_owned())
}

fn object(status: StatusCode, value: &serde_json::Value) -> Response<WasiBody> {
    answer(status, "application/json", value.to_string())
}

fn answer(status: StatusCode, kind: &'static str, body: String) -> Response<WasiBody> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn method_not_allowed() -> Response<WasiBody> {
    let mut response = Problem::MethodNotAllowed.response();
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

fn options() -> Response<WasiBody> {
    let mut response = Response::new(WasiBody::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(ALLOW, METHODS);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_route_of_a_manifest_is_a_health_path() {
        for path in HEALTH_PATHS {
            assert!(config::manifest::is_of_host(path), "{path}");
        }
    }

    fn status(health: &Health, path: &str) -> Option<u16> {
        health
            .answer(&path.parse().unwrap(), &Method::GET)
            .map(|response| response.status().as_u16())
    }

    #[test]
    fn a_host_is_live_but_not_ready_before_it_serves() {
        let health = Health::new("app", "1");
        assert_eq!(status(&health, "/livez"), Some(200));
        assert_eq!(status(&health, "/readyz"), Some(503));
        health.start_serving();
        assert_eq!(status(&health, "/readyz"), Some(200));
        assert_eq!(status(&health, "/actuator/health"), Some(200));
    }

    #[test]
    fn every_health_path_names_its_methods() {
        let health = Health::new("app", "1");
        for path in HEALTH_PATHS {
            for (method, status) in [(Method::OPTIONS, 204), (Method::POST, 405)] {
                let response = health.answer(&path.parse().unwrap(), &method).unwrap();
                assert_eq!(response.status(), status, "{method} {path}");
                assert_eq!(response.headers()[ALLOW], METHODS, "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn a_failed_check_is_named_with_its_cause() {
        use http_body_util::BodyExt as _;

        let health = Health::new("app", "1");
        health.start_serving();
        let check = |name: &str, cause: Option<&str>| CheckResult {
            name: name.to_owned(),
            cause: cause.map(str::to_owned),
        };
        health.report(vec![
            check("event log", None),
            check("component `car`", None),
        ]);
        assert_eq!(status(&health, "/readyz?verbose"), Some(200));
        health.report(vec![
            check("event log", Some("READONLY")),
            check("component `car`", None),
        ]);
        assert_eq!(status(&health, "/readyz"), Some(503));
        assert_eq!(status(&health, "/actuator/health"), Some(503));
        assert_eq!(status(&health, "/livez"), Some(200));
        let uri = "/readyz?verbose=1".parse().unwrap();
        let response = health.answer(&uri, &Method::GET).unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected =
            "[+] serving ok\n[-] event log: READONLY\n[+] component `car` ok\nnot ready\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn a_process_without_heartbeats_is_not_live() {
        let health = Health::new("app", "1");
        health.start_serving();
        for source in [HeartbeatSource::Requests, HeartbeatSource::Events] {
            let last = *health.heartbeats[source as usize].read();
            assert!(health.is_live(last + HEARTBEAT_TIMEOUT / 2));
            assert!(!health.is_live(last + HEARTBEAT_TIMEOUT));
            *health.heartbeats[source as usize].write() = last - HEARTBEAT_TIMEOUT;
            assert_eq!(status(&health, "/livez"), Some(503), "{source:?}");
            assert_eq!(status(&health, "/actuator/health/liveness"), Some(503));
            *health.heartbeats[source as usize].write() = last;
        }
    }

    #[test]
    fn a_path_below_a_health_path_is_routed_to_the_components() {
        assert_eq!(status(&Health::new("app", "1"), "/livez/x"), None);
    }
}
