//! The paths by which others ask how the platform is: `/livez`, `/readyz`, `/actuator/health`, and Spin's own.
//!
//! Live means that the process answers; ready means that it takes new calls and its stores answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use wasmtime_wasi_http::WasiBody;

use crate::problem::full;

/// The state that the health paths tell.
#[derive(Clone)]
pub struct Health {
    application: Arc<str>,
    version: Arc<str>,
    ready: Arc<AtomicBool>,
}

impl Health {
    /// Not ready until told so.
    pub fn new(application: &str, version: &str) -> Self {
        Self { application: application.into(), version: version.into(), ready: Arc::default() }
    }

    /// Takes the platform in or out of service.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// The answer, if the path is one of the host's own.
    pub fn answer(&self, path: &str, method: &Method) -> Option<Response<WasiBody>> {
        let ready = self.ready.load(Ordering::Acquire);
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
            "/.well-known/spin/info" => {
                object(StatusCode::OK, &json!({ "name": &*self.application, "version": &*self.version }))
            }
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
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refused() -> Response<WasiBody> {
    let mut response = crate::problem::Problem::MethodNotAllowed.response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
