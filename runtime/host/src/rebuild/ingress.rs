//! The components of the running generation as targets of a rebuild.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::{RebuildSource, RebuildSources, RebuildTarget};
use crate::body::full;
use crate::generation::CurrentGeneration;
use crate::ingress::Ingress;
use crate::span::{self, Span, SpanKind};
use crate::trace::{TRACEPARENT, Trace};

impl RebuildSources for CurrentGeneration {
    fn source(&self, id: &str) -> Option<RebuildSource> {
        let generation = self.get();
        let mut subscriptions = generation.subscriptions.iter();
        let subscription = subscriptions.find(|subscription| subscription.component == id)?;
        Some(RebuildSource {
            component: Arc::new(generation.components.get(id)?.clone()),
            streams: subscription.streams.clone(),
        })
    }
}

#[async_trait]
impl RebuildTarget for Ingress {
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        let trace = Trace::fresh();
        let mut span = Span::start(SpanKind::Internal, &trace, || {
            format!("rebuild {}", self.component.id()).into()
        });
        span.describe(|| {
            [
                span::text("socar.component", self.component.id()),
                span::text("socar.rebuild.step", path),
            ]
        });
        let trace = span.inner_trace(&trace).unwrap_or(trace);
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "http://{}.spin.internal/internal/rebuild{path}",
                self.component.id()
            ))
            .header(TRACEPARENT, trace.parent.clone())
            .body(full(body));
        let Ok(request) = request else {
            return (StatusCode::BAD_REQUEST, Value::Null);
        };
        // Every call starts with the lowest priority, which a rebuild keeps: requests of customers take precedence.
        let call = self.component.incoming_call(trace);
        let answer = self.clock.call(request, call).await;
        let (head, body) = answer
            .unwrap_or_else(|problem| problem.response())
            .into_parts();
        span::http::answered(&mut span, head.status, None);
        match body.collect().await {
            Ok(body) => {
                let body = serde_json::from_slice(&body.to_bytes());
                (head.status, body.unwrap_or_default())
            }
            Err(_) => (StatusCode::BAD_GATEWAY, Value::Null),
        }
    }

    fn read_deadline(&self) -> Duration {
        self.component.config().deadline
    }

    fn damage(&self) -> Option<String> {
        self.databases.iter().find_map(|database| database.damage())
    }
}
