//! What the gateway answers over HTTP.

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;

use super::body::StubBody;
use super::ledger::Ledger;
use super::{GatewayFault, ReceivedRequest};
use crate::stub_server::Responder;

impl Responder for Mutex<Ledger> {
    type Body = StubBody;

    async fn respond(&self, request: Request<Incoming>) -> Response<StubBody> {
        let request = receive(request).await;
        let fault = self.lock().fault();
        let status = match fault {
            None | Some(GatewayFault::LongBody) => self.lock().execute(request),
            Some(GatewayFault::Slow(time)) => {
                let status = self.lock().execute(request);
                tokio::time::sleep(time).await;
                status
            }
            Some(fault) => self.lock().execute_with_fault(fault, request),
        };
        let Some(status) = status else {
            return std::future::pending().await;
        };
        let body = match fault {
            Some(GatewayFault::LongBody) => StubBody::long(),
            Some(GatewayFault::PartialBody(end)) => StubBody::partial(end),
            _ => StubBody::default(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response
    }
}

async fn receive(request: Request<Incoming>) -> ReceivedRequest {
    let (head, body) = request.into_parts();
    let body = body.collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let header = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
    ReceivedRequest {
        path: head.uri.path().to_owned(),
        idempotency_key: header("idempotency-key"),
        media_type: header("content-type"),
        traceparent: header("traceparent"),
        tracestate: header("tracestate"),
        baggage: header("baggage"),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        method: head.method,
    }
}
