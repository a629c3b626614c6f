//! The paths by which others ask how the platform is: `/livez`, `/readyz`, `/actuator/health`, and Spin's own.
//!
//! Live means that this process can still work: its tasks get their turn, those of requests and those of events. Ready
//! means that it takes new calls, and that its stores answer and keep what is written. A component that is sick or down
//! makes neither red: to start the process anew would not heal it, and to take it out of service would take the healthy
//! ones with it.

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

use crate::problem::{Problem, full};
use storage::database::Database;
use storage::redis_client::RedisClient;

/// How often the stores are asked, and the heart beats.
const INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a beat the process is taken for wedged. A busy machine delays a beat by far less.
const WEDGED: Duration = Duration::from_secs(15);

/// The state that the health paths tell.
#[derive(Clone)]
pub struct Health {
    application: Arc<RwLock<Application>>,
    serving: Arc<AtomicBool>,
    stores: Arc<AtomicBool>,
    hearts: Arc<[RwLock<Instant>; 2]>,
}

/// A heart for each of the threads whose work may not stop.
#[derive(Clone, Copy, Debug)]
pub enum Heart {
    Requests,
    Events,
}

struct Application {
    name: String,
    version: String,
}

impl Health {
    /// Not ready until told so.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            application: Arc::new(RwLock::new(Application::new(name, version))),
            serving: Arc::default(),
            stores: Arc::new(AtomicBool::new(true)),
            hearts: Arc::new([Instant::now(); 2].map(RwLock::new)),
        }
    }

    /// A reload may bring another version, or another name.
    pub fn rename(&self, name: &str, version: &str) {
        *self.application.write() = Application::new(name, version);
    }

    /// Takes the platform in or out of service.
    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Release);
    }

    /// Beats until told to stop: a task like any other, which fails to get its turn when the others do.
    ///
    /// # Errors
    /// Never; it shares its type with the other parts of the platform.
    pub async fn beat(self, heart: Heart, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            *self.hearts[heart as usize].write() = Instant::now();
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    fn is_live(&self, now: Instant) -> bool {
        // A platform that stops does not beat any more, and is not to be killed for it.
        let is_stopping = !self.serving.load(Ordering::Acquire);
        is_stopping || self.hearts.iter().all(|beat| now < *beat.read() + WEDGED)
    }

    /// Asks a Redis server now and then, until told to stop: without its stores the platform is not ready.
    ///
    /// # Errors
    /// Never; it shares its type with the other parts of the platform.
    pub async fn watch(
        self,
        redis: Arc<RedisClient>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let answers = redis.query::<String>(&redis::cmd("PING")).await.is_ok();
            if self.stores.swap(answers, Ordering::AcqRel) != answers {
                match answers {
                    true => info!("redis is back: ready"),
                    false => warn!("redis is away: not ready"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Looks now and then, until told to stop, whether the embedded database keeps what is written: a disk may be full.
    ///
    /// # Errors
    /// Never; it shares its type with the other parts of the platform.
    pub async fn watch_file(
        self,
        database: Arc<Database>,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        loop {
            let can_commit = database.can_commit();
            if self.stores.swap(can_commit, Ordering::AcqRel) != can_commit {
                match can_commit {
                    true => info!("the database can be written again: ready"),
                    false => warn!("the database cannot be written: not ready"),
                }
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// The answer, if the path is one of the host's own.
    pub fn answer(&self, path: &str, method: &Method) -> Option<Response<WasiBody>> {
        let ready = self.serving.load(Ordering::Acquire) && self.stores.load(Ordering::Acquire);
        let (status, word) = match ready {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "OUT_OF_SERVICE"),
        };
        let live = self.is_live(Instant::now());
        let (liveness, alive) = match live {
            true => (StatusCode::OK, "UP"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "DOWN"),
        };
        let response = match path {
            "/livez" => text(liveness, if live { "ok" } else { "wedged" }),
            "/readyz" => text(status, if ready { "ok" } else { "not ready" }),
            "/actuator/health" => object(status, &json!({ "status": word })),
            "/actuator/health/liveness" => object(liveness, &json!({ "status": alive })),
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
            _ => refused(),
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

fn refused() -> Response<WasiBody> {
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
    fn a_platform_that_starts_or_stops_lives_and_is_not_ready() {
        let health = Health::new("app", "1");
        assert_eq!(status(&health, "/livez"), Some(200));
        assert_eq!(status(&health, "/readyz"), Some(503));
        health.set_serving(true);
        assert_eq!(status(&health, "/readyz"), Some(200));
        assert_eq!(status(&health, "/actuator/health"), Some(200));
    }

    #[test]
    fn a_process_whose_tasks_get_no_turn_is_not_live() {
        let health = Health::new("app", "1");
        health.set_serving(true);
        for heart in [Heart::Requests, Heart::Events] {
            let last = *health.hearts[heart as usize].read();
            assert!(health.is_live(last + WEDGED / 2));
            assert!(!health.is_live(last + WEDGED));
            *health.hearts[heart as usize].write() = last - WEDGED;
            assert_eq!(status(&health, "/livez"), Some(503), "{heart:?}");
            assert_eq!(status(&health, "/actuator/health/liveness"), Some(503));
            *health.hearts[heart as usize].write() = last;
        }
    }

    #[test]
    fn other_paths_belong_to_the_components() {
        assert_eq!(status(&Health::new("app", "1"), "/livez/x"), None);
    }
}
