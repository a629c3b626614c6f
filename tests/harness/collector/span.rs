//! The spans of a request, each with everything that it belongs to.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

/// A span as the collector has received it. Ids are in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedSpan {
    pub trace_id: String,
    pub span_id: String,
    /// Empty for the first span of a trace.
    pub parent_id: String,
    /// `tracestate`.
    pub state: String,
    pub name: String,
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `INTERNAL`.
    pub kind: String,
    pub attributes: BTreeMap<String, String>,
    /// The linked spans: trace and span.
    pub links: Vec<(String, String)>,
    pub is_error: bool,
    /// Nanoseconds since 1970.
    pub start: u64,
    pub end: u64,
    /// The attributes of the process.
    pub resource: BTreeMap<String, String>,
}

// === impl CollectedSpan ===

impl CollectedSpan {
    /// The value of an attribute; empty without one.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// Whether it is the parent of another span.
    pub fn is_parent_of(&self, child: &Self) -> bool {
        self.trace_id == child.trace_id && self.span_id == child.parent_id
    }
}

/// All spans of a request.
pub fn collected(request: ExportTraceServiceRequest) -> Vec<CollectedSpan> {
    let groups = request.resource_spans.into_iter();
    groups
        .flat_map(|group| {
            let resource = texts(group.resource.unwrap_or_default().attributes);
            let spans = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.map(move |span| read(span, resource.clone()))
        })
        .collect()
}

fn read(span: Span, resource: BTreeMap<String, String>) -> CollectedSpan {
    let kind = span.kind().as_str_name();
    let status = span.status.unwrap_or_default();
    assert!(
        kind != SpanKind::Unspecified.as_str_name(),
        "a span has a kind"
    );
    CollectedSpan {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        state: span.trace_state,
        name: span.name,
        kind: kind.trim_start_matches("SPAN_KIND_").to_owned(),
        attributes: texts(span.attributes),
        links: span
            .links
            .iter()
            .map(|link| (hex(&link.trace_id), hex(&link.span_id)))
            .collect(),
        is_error: status.code() == StatusCode::Error,
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        resource,
    }
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let pairs = attributes.into_iter();
    pairs.map(|pair| (pair.key, text(pair.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text,
        Some(Any::IntValue(number)) => number.to_string(),
        Some(Any::BoolValue(is)) => is.to_string(),
        other => panic!("an attribute of an unexpected type: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
