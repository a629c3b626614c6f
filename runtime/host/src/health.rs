//! The paths by which others ask how the platform is: `/livez`, `/readyz`, `/actuator/health`, and Spin's own.
//!
//! Live means that the process answers; ready means that it takes new calls and its stores answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use tokio::sync::watch;
use tracing::{info, warn};
use wasmtime_wasi_http::WasiBody;

use crate::problem::{Problem, full};
use crate::remote::Remote;

/// How often the stores are asked.
const INTERVAL: Duration = Duration::from_secs(1);

/// The state that the health paths tell.
#[derive(Clone)]
pub struct Health {
    application: Arc<str>,
    version: Arc<str>,
    serving: Arc<AtomicBool>,
    stores: Arc<AtomicBool>,
}

impl Health {
    /// Not ready until told so.
    pub fn new(application: &str, version: &str) -> Self {
        Self {
            application: application.into(),
            version: version.into(),
            serving: Arc::default(),
            stores: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Takes the platform in or out of service.
    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Release);
    }

    /// Asks a Redis server now and then, until told to stop: without its stores the platform is not ready.
    ///
    /// # Errors
    /// Never; it shares its type with the other parts of the platform.
    pub async fn watch(
        self,
        redis: Arc<Remote>,
        mut stop: watch::Receiver<bool>,
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
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
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
        let response = match path {
            "/livez" => text(StatusCode::OK, "ok"),
            "/readyz" => text(status, if ready { "ok" } else { "not ready" }),
            "/actuator/health" => object(status, &json!({ "status": word })),
            "/actuator/health/liveness" => object(StatusCode::OK, &json!({ "status": "UP" })),
            "/actuator/health/readiness" => object(status, &json!({ "status": word })),
            "/.well-known/spin/health" => text(StatusCode::OK, "OK"),
            "/.well-known/spin/info" => object(
                StatusCode::OK,
                &json!({ "name": &*self.application, "version": &*self.version }),
            ),
            _ => return None,
        };
        Some(match *method {
            Method::GET | Method::HEAD => response,
            _ => refused(),
        })
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
    fn other_paths_belong_to_the_components() {
        assert_eq!(status(&Health::new("app", "1"), "/livez/x"), None);
    }
}
