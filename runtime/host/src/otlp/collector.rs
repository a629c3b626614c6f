//! The collector: one request with spans, and what its answer means.

use std::time::Duration;

use ::http::header::{CONTENT_TYPE, USER_AGENT};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::answer::{ExportAnswer, ExportError, ExportReceipt};
use super::settings::{ExportProtocol, ExportSettings};
use super::{grpc, http};
use crate::body::full;
use crate::client::{self, Connections, HttpVersion};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

const PROGRAM: HeaderValue = HeaderValue::from_static(concat!("socar/", env!("CARGO_PKG_VERSION")));

/// Sends spans to a collector.
pub struct Collector {
    connections: Connections,
    protocol: ExportProtocol,
    endpoint: Uri,
    headers: HeaderMap,
    timeout: Duration,
}

// === impl Collector ===

impl Collector {
    pub fn new(settings: &ExportSettings) -> Self {
        let version = match settings.protocol {
            ExportProtocol::Http => HttpVersion::Http1,
            ExportProtocol::Grpc => HttpVersion::Http2,
        };
        let mut headers = settings.headers.clone();
        headers.insert(USER_AGENT, PROGRAM);
        match settings.protocol {
            ExportProtocol::Http => headers.insert(CONTENT_TYPE, http::MEDIA_TYPE),
            ExportProtocol::Grpc => {
                headers.insert(grpc::TE, grpc::TRAILERS);
                headers.insert(CONTENT_TYPE, grpc::MEDIA_TYPE)
            }
        };
        Self {
            connections: client::connections(version),
            protocol: settings.protocol,
            endpoint: settings.endpoint.clone(),
            headers,
            timeout: settings.request_timeout,
        }
    }

    /// Sends one encoded request.
    ///
    /// # Errors
    /// When the collector did not take the spans, or did not answer in time.
    pub async fn send(&self, message: Bytes) -> Result<ExportReceipt, ExportError> {
        let exchanged = tokio::time::timeout(self.timeout, self.exchange(message));
        let answer = exchanged
            .await
            .unwrap_or_else(|_| Err("it does not answer in time".to_owned()));
        let answer = answer.map_err(ExportError::unavailable)?;
        match self.protocol {
            ExportProtocol::Http => http::receipt(&answer),
            ExportProtocol::Grpc => grpc::receipt(&answer),
        }
    }

    async fn exchange(&self, message: Bytes) -> Result<ExportAnswer, String> {
        let body = match self.protocol {
            ExportProtocol::Http => message,
            ExportProtocol::Grpc => grpc::frame(&message),
        };
        let mut request = Request::new(full(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        request.headers_mut().clone_from(&self.headers);
        let response: Response<Incoming> = self
            .connections
            .request(request)
            .await
            .map_err(|error| client::cause(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER).collect().await;
        let body = body.map_err(|error| format!("its answer cannot be read: {error}"))?;
        Ok(ExportAnswer {
            status: head.status,
            headers: head.headers,
            trailers: body.trailers().cloned(),
            body: body.to_bytes(),
        })
    }
}
