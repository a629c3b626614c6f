//! The durations of requests by route, after the semantic conventions for HTTP.
//!
//! A request lasts until the last byte of its response, as its span does.

use std::collections::HashMap;
use std::time::Instant;

use http::{Method, StatusCode};
use metrics::{Histogram, histogram};
use parking_lot::RwLock;

use super::request_log::LoggedRequest;
use crate::span::http::method_name;

/// The durations of the requests of a listener. A handle is made once for each combination of labels, of which there are
/// few: routes are those of the manifest.
#[derive(Default)]
pub struct RequestMetrics(RwLock<HashMap<String, RouteMetrics>>);

/// The durations of one route, by method and status.
type RouteMetrics = HashMap<(&'static str, StatusCode), Histogram>;

/// A request under way, whose duration is recorded when it is dropped.
pub struct RequestTimer {
    seconds: Histogram,
    since: Instant,
}

// === impl RequestMetrics ===

impl RequestMetrics {
    /// The timer of a request that is answered with this status. A request without a route has an empty one.
    pub fn timer(&self, request: &LoggedRequest, status: StatusCode) -> RequestTimer {
        let route = request.route.as_deref().unwrap_or_default();
        let component = request.component.as_deref().unwrap_or_default();
        RequestTimer {
            seconds: self.seconds(route, &request.method, status, component),
            since: request.since,
        }
    }

    fn seconds(
        &self,
        route: &str,
        method: &Method,
        status: StatusCode,
        component: &str,
    ) -> Histogram {
        let key = (method_name(method), status);
        let of_route = |routes: &HashMap<String, RouteMetrics>| {
            let route = routes.get(route)?;
            route.get(&key).cloned()
        };
        let known = of_route(&self.0.read());
        known.unwrap_or_else(|| {
            let new = histogram!(
                "http_server_request_duration_seconds",
                "http_route" => route.to_owned(),
                "http_request_method" => key.0,
                "http_response_status_code" => status.as_str().to_owned(),
                "component" => component.to_owned(),
            );
            let mut routes = self.0.write();
            let route = routes.entry(route.to_owned()).or_default();
            route.insert(key, new.clone());
            new
        })
    }
}

impl Drop for RequestTimer {
    fn drop(&mut self) {
        self.seconds.record(self.since.elapsed());
    }
}
