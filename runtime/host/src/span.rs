//! Spans: the steps of a request that this host records for OpenTelemetry.
//!
//! A step starts a span below the one that its [`Trace`] names, and hands the trace on with its own span in it. The span
//! ends when it is dropped. The exporter ([`crate::otlp`]) installs the recorder; without one no span is made:
//! [`Span::start`] reads one pointer, and neither a name nor an attribute is computed.
//!
//! A trace that is not sampled has no spans either. Its `traceparent` says so to every program that continues it.

pub mod http;
mod ids;
pub mod messaging;
pub mod store;

use std::borrow::Cow;
use std::sync::OnceLock;

use ::http::HeaderValue;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags,
    TraceId, TraceState, Tracer as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use crate::trace::{ParentSource, Trace};
pub use ids::SpanIds;
pub use opentelemetry::trace::SpanKind;

/// The longest text of an attribute, in bytes: a client must not fill the memory of the exporter with long paths.
const MAX_TEXT: usize = 512;

/// Why a span failed, after the semantic conventions.
const ERROR_TYPE: &str = "error.type";

static RECORDER: OnceLock<SpanRecorder> = OnceLock::new();

/// What records the spans of this process.
#[derive(Debug)]
pub struct SpanRecorder {
    /// Makes the spans.
    pub tracer: SdkTracer,
    /// Whether operations on stores have spans.
    pub stores: bool,
}

/// A step of a request. Nothing is recorded without a recorder, and of a trace that is not sampled.
#[derive(Debug, Default)]
pub struct Span(SpanState);

#[derive(Debug, Default)]
enum SpanState {
    #[default]
    Off,
    Unsampled,
    Recording(Box<opentelemetry_sdk::trace::Span>),
}

/// Records all spans from now on. Only the first call has an effect.
pub fn install(recorder: SpanRecorder) {
    let _ = RECORDER.set(recorder);
}

/// Whether spans are recorded.
pub fn is_on() -> bool {
    RECORDER.get().is_some()
}

// === impl SpanRecorder ===

impl SpanRecorder {
    fn start(
        &self,
        kind: SpanKind,
        trace: &Trace,
        link: Option<&Trace>,
        name: Cow<'static, str>,
    ) -> Span {
        let link = link.and_then(span_context);
        let links: Vec<Link> = link.map(Link::with_context).into_iter().collect();
        let builder = SpanBuilder::from_name(name).with_kind(kind);
        let builder = builder.with_links(links);
        let parent = match trace.source() {
            ParentSource::Generated => None,
            ParentSource::Remote | ParentSource::Span => span_context(trace),
        };
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        // A trace that begins here keeps the id under which its request is known.
        let span = ids::in_trace(trace_id(trace), || {
            self.tracer.build_with_context(builder, &context)
        });
        Span(match span.is_recording() {
            true => SpanState::Recording(Box::new(span)),
            false => SpanState::Unsampled,
        })
    }
}

// === impl Span ===

impl Span {
    /// Starts a step of this trace.
    pub fn start(kind: SpanKind, trace: &Trace, name: impl FnOnce() -> Cow<'static, str>) -> Self {
        Self::start_linked(kind, trace, None, name)
    }

    /// Starts a step of this trace, with a link to the span that another one names.
    pub fn start_linked(
        kind: SpanKind,
        trace: &Trace,
        link: Option<&Trace>,
        name: impl FnOnce() -> Cow<'static, str>,
    ) -> Self {
        match RECORDER.get() {
            None => Self::default(),
            Some(recorder) => recorder.start(kind, trace, link, name()),
        }
    }

    /// The trace for the work in this span. `None` means that it continues the same trace as before.
    pub fn inner_trace(&self, trace: &Trace) -> Option<Trace> {
        match &self.0 {
            SpanState::Off => None,
            SpanState::Unsampled => trace.unsampled(),
            SpanState::Recording(span) => Some(trace.with_span(header(span.span_context())?)),
        }
    }

    /// `traceparent` of this span, if it is recorded.
    pub fn parent(&self) -> Option<HeaderValue> {
        match &self.0 {
            SpanState::Off | SpanState::Unsampled => None,
            SpanState::Recording(span) => header(span.span_context()),
        }
    }

    /// Replaces the name.
    pub fn rename(&mut self, name: impl FnOnce() -> String) {
        if let SpanState::Recording(span) = &mut self.0 {
            span.update_name(name());
        }
    }

    /// Adds attributes.
    pub fn describe<const N: usize>(&mut self, attributes: impl FnOnce() -> [Attribute; N]) {
        if let SpanState::Recording(span) = &mut self.0 {
            span.set_attributes(attributes().into_iter().flatten());
        }
    }

    /// Marks the step as failed. The type of the error is one of few, the description is for people.
    pub fn fail(&mut self, error_type: impl Into<Cow<'static, str>>, description: impl ToString) {
        if let SpanState::Recording(span) = &mut self.0 {
            span.set_attribute(KeyValue::new(ERROR_TYPE, error_type.into()));
            let description = description.to_string();
            span.set_status(Status::error(shortened(&description).to_owned()));
        }
    }
}

/// An attribute, if there is a value.
pub type Attribute = Option<KeyValue>;

/// An attribute with a text, which is cut off if it is too long.
pub fn text(key: &'static str, value: &str) -> Attribute {
    (!value.is_empty()).then(|| KeyValue::new(key, shortened(value).to_owned()))
}

/// An attribute with one of few texts.
pub fn name(key: &'static str, value: &'static str) -> Attribute {
    Some(KeyValue::new(key, value))
}

/// An attribute with a number.
pub fn number(key: &'static str, value: impl Into<i64>) -> Attribute {
    Some(KeyValue::new(key, value.into()))
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

fn trace_id(trace: &Trace) -> Option<TraceId> {
    let parent = trace.parent.to_str().ok()?;
    TraceId::from_hex(parent.get(3..35)?).ok()
}

/// The span that a trace names.
fn span_context(trace: &Trace) -> Option<SpanContext> {
    let parent = trace.parent.to_str().ok()?;
    let span_id = SpanId::from_hex(parent.get(36..52)?).ok()?;
    let flags = u8::from_str_radix(parent.get(53..55)?, 16).ok()?;
    let state = trace.state().and_then(|state| state.to_str().ok());
    let state = state.and_then(|state| state.parse::<TraceState>().ok());
    Some(SpanContext::new(
        trace_id(trace)?,
        span_id,
        TraceFlags::new(flags),
        trace.source() == ParentSource::Remote,
        state.unwrap_or_default(),
    ))
}

fn header(span: &SpanContext) -> Option<HeaderValue> {
    let (trace_id, span_id) = (span.trace_id(), span.span_id());
    let flags = span.trace_flags().to_u8();
    HeaderValue::try_from(format!("00-{trace_id}-{span_id}-{flags:02x}")).ok()
}

#[cfg(test)]
mod tests;
