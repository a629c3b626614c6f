//! The settings of the exporter, from the standard variables of OpenTelemetry.
//!
//! As the specification demands, a value that makes no sense is ignored with a warning: a typing error in the
//! configuration of traces must not stop the platform. Neither warnings nor the settings themselves show the headers,
//! which may hold tokens.

mod endpoint;
mod headers;
mod sampler;

use std::time::Duration;

use http::{HeaderMap, Uri};
use opentelemetry::KeyValue;
use opentelemetry_sdk::trace::Sampler;

use super::ServiceName;

/// Spans that wait for their export.
const DEFAULT_QUEUE: usize = 2048;

/// Spans in one request.
const DEFAULT_BATCH: usize = 512;

/// How long a span waits for a full batch.
const DEFAULT_DELAY: Duration = Duration::from_secs(5);

/// How long one batch is tried.
const DEFAULT_BATCH_TIMEOUT: Duration = Duration::from_secs(30);

/// How long one request may take.
const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The protocol of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportProtocol {
    /// `http/protobuf`.
    Http,
    /// `grpc`.
    Grpc,
}

/// The settings of an exporter.
#[derive(Clone)]
pub struct ExportSettings {
    pub protocol: ExportProtocol,
    /// Where requests are sent.
    pub endpoint: Uri,
    /// The headers of every request.
    pub headers: HeaderMap,
    /// The longest time of one request.
    pub request_timeout: Duration,
    /// The longest time in which one batch is tried.
    pub batch_timeout: Duration,
    /// The most spans that wait.
    pub queue: usize,
    /// The most spans of one request.
    pub batch: usize,
    /// The longest time that a span waits for a full batch.
    pub delay: Duration,
    pub sampler: Sampler,
    /// What the spans are about: the service, and what the environment says of it.
    pub resource: Vec<KeyValue>,
}

/// What the environment asks for.
pub struct Requested {
    /// Absent if no spans are to be exported.
    pub settings: Option<ExportSettings>,
    /// What is ignored, and why.
    pub warnings: Vec<String>,
}

/// The variables, and the warnings about them.
struct Variables<'a> {
    environment: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<String>,
}

// === impl ExportProtocol ===

impl ExportProtocol {
    /// Its name in the variables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http/protobuf",
            Self::Grpc => "grpc",
        }
    }
}

// === impl ExportSettings ===

impl ExportSettings {
    /// Reads the variables.
    pub fn read(
        environment: &dyn Fn(&str) -> Option<String>,
        service: ServiceName<'_>,
    ) -> Requested {
        let mut variables = Variables {
            environment,
            warnings: Vec::new(),
        };
        Requested {
            settings: variables.settings(service),
            warnings: variables.warnings,
        }
    }

    /// The endpoint for people. It holds no credentials.
    pub fn shown_endpoint(&self) -> String {
        self.endpoint.to_string()
    }
}

// === impl Variables ===

impl Variables<'_> {
    fn settings(&mut self, service: ServiceName<'_>) -> Option<ExportSettings> {
        if !self.is_enabled() {
            return None;
        }
        let protocol = self.protocol();
        let queue = self.positive("OTEL_BSP_MAX_QUEUE_SIZE", DEFAULT_QUEUE);
        let batch = self.positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", DEFAULT_BATCH);
        Some(ExportSettings {
            protocol,
            endpoint: endpoint::read(self, protocol)?,
            headers: headers::read(self),
            request_timeout: self.milliseconds(
                &of_traces("OTEL_EXPORTER_OTLP_TIMEOUT"),
                DEFAULT_REQUEST_TIMEOUT,
            ),
            batch_timeout: self.milliseconds(&["OTEL_BSP_EXPORT_TIMEOUT"], DEFAULT_BATCH_TIMEOUT),
            queue,
            batch: batch.min(queue),
            delay: self.milliseconds(&["OTEL_BSP_SCHEDULE_DELAY"], DEFAULT_DELAY),
            sampler: sampler::read(self),
            resource: self.resource(service),
        })
    }

    /// Whether spans are to be exported: an endpoint is set, or the exporter itself, and nothing disables it.
    fn is_enabled(&mut self) -> bool {
        match self.get("OTEL_SDK_DISABLED") {
            Some(disabled) if disabled.eq_ignore_ascii_case("true") => return false,
            Some(other) if !other.eq_ignore_ascii_case("false") => {
                self.ignore("OTEL_SDK_DISABLED", &other, "write true or false");
            }
            _ => {}
        }
        let endpoint = of_traces("OTEL_EXPORTER_OTLP_ENDPOINT");
        let has_endpoint = self.first(&endpoint).is_some();
        let Some(exporters) = self.get("OTEL_TRACES_EXPORTER") else {
            return has_endpoint;
        };
        let mut known = exporters.split(',').map(str::trim);
        if known.clone().any(|exporter| exporter == "otlp") {
            return true;
        }
        if !known.any(|exporter| exporter == "none") {
            self.ignore("OTEL_TRACES_EXPORTER", &exporters, "write otlp or none");
            return has_endpoint;
        }
        false
    }

    fn protocol(&mut self) -> ExportProtocol {
        let Some((name, protocol)) = self.first(&of_traces("OTEL_EXPORTER_OTLP_PROTOCOL")) else {
            return ExportProtocol::Http;
        };
        let known = [ExportProtocol::Http, ExportProtocol::Grpc];
        let found = known.into_iter().find(|known| known.name() == protocol);
        found.unwrap_or_else(|| {
            self.ignore(&name, &protocol, "write http/protobuf or grpc");
            ExportProtocol::Http
        })
    }

    fn resource(&self, service: ServiceName<'_>) -> Vec<KeyValue> {
        let mut attributes = vec![
            ("service.name".to_owned(), service.name.to_owned()),
            ("service.version".to_owned(), service.version.to_owned()),
        ];
        let given = self.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        attributes.extend(headers::pairs(&given));
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            attributes.push(("service.name".to_owned(), name));
        }
        // Of two attributes with the same name the later one counts.
        let attributes = attributes
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        attributes
            .map(|(name, value)| KeyValue::new(name, value))
            .collect()
    }

    fn positive(&mut self, name: &str, default: usize) -> usize {
        let Some(text) = self.get(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) if number > 0 => number,
            _ => {
                self.ignore(name, &text, "write a number above 0");
                default
            }
        }
    }

    fn milliseconds<N: AsRef<str>>(&mut self, names: &[N], default: Duration) -> Duration {
        let Some((name, text)) = self.first(names) else {
            return default;
        };
        match text.parse() {
            Ok(number) if number > 0 => Duration::from_millis(number),
            _ => {
                self.ignore(&name, &text, "write a number of milliseconds above 0");
                default
            }
        }
    }

    /// The value of the first variable that is set, with its name.
    fn first<N: AsRef<str>>(&self, names: &[N]) -> Option<(String, String)> {
        names.iter().find_map(|name| {
            let name = name.as_ref();
            Some((name.to_owned(), self.get(name)?))
        })
    }

    /// The value of a variable. An empty one counts as not set.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.environment)(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn ignore(&mut self, name: &str, value: &str, remedy: &str) {
        self.warnings.push(format!(
            "the environment variable {name}={value} is ignored: {remedy}"
        ));
    }
}

/// The names of a variable, the one for traces first.
fn of_traces(general: &str) -> [String; 2] {
    let traces = general.replacen("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_", 1);
    [traces, general.to_owned()]
}

#[cfg(test)]
mod tests;
