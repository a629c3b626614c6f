//! The admin port of a running host: metrics, breakers, fault injection and everything else that operators use.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use crate::client::{Client, RequestBuilder, Response};

/// The admin port of one host.
#[derive(Debug, Clone, Copy)]
pub struct AdminPort<'a> {
    client: &'a Client,
    state_dir: &'a Path,
}

impl<'a> AdminPort<'a> {
    /// The admin port of the host with this state directory, which holds the port's address.
    pub fn new(client: &'a Client, state_dir: &'a Path) -> Self {
        Self { client, state_dir }
    }

    /// Begins a request to the admin port.
    ///
    /// # Panics
    /// When the state directory holds no address.
    #[track_caller]
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let file = self.state_dir.join("admin");
        let address = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("no address in {}: {error}", file.display()));
        let url = format!("http://{}{path}", address.trim());
        self.client.request(method, &url)
    }

    /// The response to a GET, which must have the status 200.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().is(200)
    }

    /// The JSON at a path.
    #[track_caller]
    pub fn json(&self, path: &str) -> Value {
        self.get(path).json()
    }

    /// All metrics, in the text format of Prometheus.
    #[track_caller]
    pub fn metrics(&self) -> String {
        self.get("/metrics").text()
    }

    /// The value of one series, which is a metric's name with its labels; nothing if there is no such series.
    #[track_caller]
    pub fn metric(&self, series: &str) -> Option<f64> {
        let metrics = self.metrics();
        let mut lines = metrics.lines();
        let value = lines.find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value?.parse().ok()
    }

    /// The breaker of a link; null if the link does not exist.
    #[track_caller]
    pub fn breaker(&self, link: &str) -> Value {
        let list = self.json("/breakers");
        let breakers = list["breakers"].as_array().into_iter().flatten();
        let mut wanted = breakers.filter(|breaker| breaker["link"] == link);
        wanted.next().cloned().unwrap_or_default()
    }

    /// Applies `force-open`, `force-closed`, `disable` or `reset` to the breaker of a link, and returns its new state.
    #[track_caller]
    pub fn control_breaker(&self, action: &str, link: &str) -> Value {
        let request = self.request(Method::POST, &format!("/breakers/{action}"));
        request.json(&json!({"link": link})).send().is(200).json()
    }

    /// Injects a fault, as the body of `POST /chaos` describes it. The host must run with `--chaos`.
    #[track_caller]
    pub fn inject_fault(&self, fault: &Value) -> Value {
        let request = self.request(Method::POST, "/chaos");
        request.json(fault).send().is(200).json()
    }

    /// Ends all injected faults.
    #[track_caller]
    pub fn clear_faults(&self) {
        self.request(Method::DELETE, "/chaos").send().is(200);
    }
}
