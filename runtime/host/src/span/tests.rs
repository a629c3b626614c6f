//! Which spans are made, and what continues them.

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanData, SpanProcessor};
use parking_lot::Mutex;

use super::*;
use crate::trace::{TRACEPARENT, TRACESTATE};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Keeps the spans that have ended.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Ended {
    fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn recorder(sampler: Sampler) -> (SpanRecorder, Ended) {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_id_generator(SpanIds)
        .with_span_processor(ended.clone())
        .build();
    let recorder = SpanRecorder {
        tracer: provider.tracer("test"),
        stores: false,
    };
    (recorder, ended)
}

/// Follows the caller, and records what begins here.
fn by_parent() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOn))
}

fn received(flags: &str) -> Trace {
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
    Trace::of(&HeaderMap::from_iter([
        (TRACEPARENT, parent.parse().unwrap()),
        (TRACESTATE, HeaderValue::from_static("a=1")),
    ]))
}

fn start(recorder: &SpanRecorder, trace: &Trace) -> Span {
    recorder.start(SpanKind::Internal, trace, None, "step".into())
}

/// The tests of this binary install no recorder.
#[test]
fn without_an_exporter_nothing_is_computed() {
    let trace = Trace::fresh();
    let mut span = Span::start(SpanKind::Server, &trace, || panic!("a name is computed"));
    span.rename(|| panic!("a name is computed"));
    span.describe(|| -> [Attribute; 1] { panic!("an attribute is computed") });
    span.fail("error", "description");
    assert!(span.inner_trace(&trace).is_none() && span.parent().is_none());
    assert!(!is_on() && !store::is_on());
    assert!(size_of::<Span>() <= 2 * size_of::<usize>());
}

#[test]
fn a_step_is_below_the_span_of_its_caller() {
    let (recorder, ended) = recorder(by_parent());
    let trace = received("01");
    let outer = start(&recorder, &trace);
    let within = outer.inner_trace(&trace).unwrap();
    drop(start(&recorder, &within));
    drop(outer);
    let spans = ended.0.lock();
    let [inner, outer] = &spans[..] else {
        panic!("{spans:?}")
    };
    assert_eq!(outer.parent_span_id.to_string(), "00f067aa0ba902b7");
    assert!(outer.parent_span_is_remote && !inner.parent_span_is_remote);
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    for span in [inner, outer] {
        assert_eq!(span.span_context.trace_id().to_string(), TRACE);
        assert_eq!(span.span_context.trace_state().header(), "a=1");
    }
    assert_eq!(within.trace_id(), Some(TRACE));
}

#[test]
fn a_trace_that_begins_here_keeps_the_id_of_its_request() {
    let (recorder, ended) = recorder(by_parent());
    let trace = Trace::fresh();
    drop(start(&recorder, &trace));
    let spans = ended.0.lock();
    assert_eq!(spans[0].span_context.trace_id().to_string(), trace.id());
    assert_eq!(spans[0].parent_span_id, SpanId::INVALID);
}

#[test]
fn a_trace_that_is_not_sampled_says_so_to_all_that_continue_it() {
    let (by_parent, ended) = recorder(by_parent());
    let unsampled = received("00");
    let span = start(&by_parent, &unsampled);
    assert!(span.inner_trace(&unsampled).is_none(), "it says so already");
    let (never, _) = recorder(Sampler::AlwaysOff);
    for trace in [received("01"), Trace::fresh()] {
        let within = start(&never, &trace).inner_trace(&trace).unwrap();
        assert!(within.parent.to_str().unwrap().ends_with("-00"));
        drop(start(&by_parent, &within));
    }
    drop(span);
    assert_eq!(ended.0.lock().len(), 0);
}

#[test]
fn a_long_text_is_cut_off() {
    let long = "차".repeat(MAX_TEXT);
    let cut = text("key", &long).unwrap();
    assert!(cut.value.as_str().len() <= MAX_TEXT);
    assert!(long.starts_with(&*cut.value.as_str()));
    assert!(text("key", "").is_none());
}
