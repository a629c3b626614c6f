//! Health paths: `/livez`, `/readyz`, `/actuator/health` and the health path of Spin.
//!
//! Live means that the runtimes of this process make progress: the one of requests and the one of events. Ready means
//! that the host accepts new calls, and that its stores respond and persist writes. A failed or overloaded component
//! changes neither: a restart of the process would not repair the component, and removing the host from service would
//! also remove its healthy components.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use parking_lot::RwLock;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wasmtime_wasi_http::WasiBody;

use crate::body::full;
use crate::problem::Problem;
use storage::database::Database;
use storage::redis_client::RedisClient;

/// Interval of the store checks and of the heartbeats.
const INTERVAL: Duration = Duration::from_secs(1);

/// Age of a heartbeat from which the process counts as hung. A busy machine delays a heartbeat by far less.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(15);

/// State that the health paths report.
#[derive(Clone)]
pub struct Health {
    application: Arc<RwLock<Application>>,
    serving: Arc<AtomicBool>,
    stores: Arc<AtomicBool>,
    heartbeats: Arc<[RwLock<Instant>; 2]>,
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
            stores: Arc::new(AtomicBool::new(true)),
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

    /// Checks the Redis server periodically until `stop` is cancelled: without its stores the host is not ready.
    ///
    /// # Errors
    /// Never; the result has the type of the other background tasks.
    pub async fn watch_redis(
        self,
        redis: Arc<RedisClient>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let answers = redis.query::<String>(&redis::cmd("PING")).await.is_ok();
            if self.stores.swap(answers, Ordering::AcqRel) != answers {
                match answers {
                    true => info!("redis is available again: ready"),
                    false => warn!("redis is unavailable: not ready"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Checks periodically whether the embedded database can commit, until `stop` is cancelled: the disk may be full.
    ///
    /// # Errors
    /// Never; the result has the type of the other background tasks.
    pub async fn watch_database(
        self,
        database: Arc<Database>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let can_commit = database.can_commit();
            if self.stores.swap(can_commit, Ordering::AcqRel) != can_commit {
                match can_commit {
                    true => info!("the embedded database is writable again: ready"),
                    false => warn!("the embedded database is not writable: not ready"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Returns the response when the path is one of the health paths.
    pub fn answer(&self, path: &str, method: &Method) -> Option<Response<WasiBody>> {
        let ready = self.serving.load(Ordering::Acquire) && self.stores.load(Ordering::Acquire);
        let (status, word) = match ready {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_SERVICE"),
        };
        let live = self.is_live(Instant::now());
        let (live_status, alive) = match live {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "DOWN"),
        };
        let response = match path {
            "/livez" => text(live_status, if live { "ok" } else { "wedged" }),
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
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(health: &Health, path: &str) -> Option<u16> {
        health
            .answer(path, &Method::GET)
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
