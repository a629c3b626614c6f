//! The requests of exporters, and what the collector answers.

use std::pin::Pin;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Incoming};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use parking_lot::Mutex;
use prost::Message;

use super::OtlpProtocol;
use super::span::{CollectedSpan, collected};
use crate::stub_server::Responder;

/// The path of the method of the gRPC service.
const GRPC_METHOD: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// The size of the head of a gRPC frame.
const FRAME_HEAD: usize = 5;

/// The gRPC status of a server that is unavailable.
const UNAVAILABLE: u32 = 14;

/// A fault of the collector. It takes no span meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollectorFault {
    /// No request is answered.
    Hangs,
    /// Connections are refused.
    RefusesConnections,
    /// Every request is answered with this status; over gRPC the call is unavailable if the status is temporary.
    Status {
        status: u16,
        /// The seconds of `Retry-After`.
        retry_after: Option<u64>,
    },
    /// Every request is taken except for this many spans.
    Rejects(i64),
}

/// One request as it was received.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    pub protocol: OtlpProtocol,
    pub headers: HeaderMap,
    /// The number of its spans.
    pub spans: usize,
}

/// What a collector has received.
#[derive(Debug, Default)]
pub struct Inbox {
    pub spans: Vec<CollectedSpan>,
    pub requests: Vec<ExportRequest>,
    pub fault: Option<CollectorFault>,
}

/// The body of an answer.
type AnswerBody = Pin<Box<dyn Body<Data = Bytes, Error = std::convert::Infallible> + Send>>;

impl Responder for Mutex<Inbox> {
    type Body = AnswerBody;

    async fn respond(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let (head, body) = request.into_parts();
        let body = body.collect().await;
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        let (protocol, message) = match head.uri.path() {
            GRPC_METHOD => (OtlpProtocol::Grpc, body.slice(FRAME_HEAD.min(body.len())..)),
            "/v1/traces" => (OtlpProtocol::Http, body),
            other => panic!("no collector has the path {other}"),
        };
        let request = ExportTraceServiceRequest::decode(message)
            .unwrap_or_else(|error| panic!("not a request of OTLP: {error}"));
        let spans = collected(request);
        let fault = self.lock().receive(protocol, head.headers, spans);
        match fault {
            Some(CollectorFault::Hangs | CollectorFault::RefusesConnections) => {
                std::future::pending().await
            }
            Some(CollectorFault::Status {
                status,
                retry_after,
            }) => refused(protocol, status, retry_after),
            Some(CollectorFault::Rejects(rejected_spans)) => taken(
                protocol,
                Some(ExportTracePartialSuccess {
                    rejected_spans,
                    error_message: "too old".to_owned(),
                }),
            ),
            None => taken(protocol, None),
        }
    }
}

// === impl Inbox ===

impl Inbox {
    fn receive(
        &mut self,
        protocol: OtlpProtocol,
        headers: HeaderMap,
        spans: Vec<CollectedSpan>,
    ) -> Option<CollectorFault> {
        self.requests.push(ExportRequest {
            protocol,
            headers,
            spans: spans.len(),
        });
        if self.fault.is_none() {
            self.spans.extend(spans);
        }
        self.fault
    }
}

fn taken(
    protocol: OtlpProtocol,
    partial_success: Option<ExportTracePartialSuccess>,
) -> Response<AnswerBody> {
    let message = ExportTraceServiceResponse { partial_success }.encode_to_vec();
    match protocol {
        OtlpProtocol::Http => {
            let mut response = Response::new(Box::pin(Full::new(message.into())) as AnswerBody);
            set(&mut response, "content-type", "application/x-protobuf");
            response
        }
        OtlpProtocol::Grpc => {
            let mut frame = BytesMut::new();
            frame.put_u8(0);
            frame.put_u32(message.len() as u32);
            frame.put_slice(&message);
            let trailers = HeaderMap::from_iter([(
                http::HeaderName::from_static("grpc-status"),
                HeaderValue::from_static("0"),
            )]);
            let body = Full::new(frame.freeze()).with_trailers(async { Some(Ok(trailers)) });
            grpc(Box::pin(body))
        }
    }
}

fn refused(protocol: OtlpProtocol, status: u16, retry_after: Option<u64>) -> Response<AnswerBody> {
    let body: AnswerBody = Box::pin(Empty::new());
    match protocol {
        OtlpProtocol::Http => {
            let mut response = Response::new(body);
            *response.status_mut() = status.try_into().unwrap_or_default();
            if let Some(seconds) = retry_after {
                set(&mut response, "retry-after", &seconds.to_string());
            }
            response
        }
        OtlpProtocol::Grpc => {
            let is_temporary = matches!(status, 429 | 502..=504);
            // Another code than those with which a call is repeated: invalid argument.
            let code = if is_temporary { UNAVAILABLE } else { 3 };
            let mut response = grpc(body);
            set(&mut response, "grpc-status", &code.to_string());
            set(&mut response, "grpc-message", "no%20room");
            response
        }
    }
}

fn grpc(body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    set(&mut response, "content-type", "application/grpc");
    response
}

fn set(response: &mut Response<AnswerBody>, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""));
    response.headers_mut().insert(name, value);
}
