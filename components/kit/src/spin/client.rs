//! HTTP calls to other contexts and to external services, each with a timeout.

use super::timeout::with_timeout;
use crate::http::{BODY_LIMIT, Response, body, upstream};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};
use http_body_util::Full;
use spin_sdk::{
    http::body::IncomingBodyExt,
    wasip3::{
        http::types::{ErrorCode, RequestOptions},
        http_compat::{Request, RequestOptionsExtension},
    },
};
use std::time::Duration;

/// The reason for which a call has no response. Unless it was not sent, it may have taken effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call was sent to no service: the host reports it, or the request is invalid. A refused connection
    /// is no proof, as it may follow a first attempt that was sent.
    #[error("not sent: {why}")]
    NotSent {
        /// The reason, for logs.
        why: String,
        /// Seconds after which a retry makes sense, if the host names them.
        retry_after: Option<u64>,
    },
    /// The response did not arrive within the timeout.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke, or the response is invalid.
    #[error("{0}")]
    Failed(String),
}

/// An HTTP client whose calls end within a timeout.
#[derive(Clone, Copy, Debug)]
pub struct HttpClient {
    timeout: Duration,
}

impl HttpClient {
    /// A client whose calls take at most `timeout`, the body of the response included.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// Sends a request with a JSON body, none if `body` is empty, and reads the response; of a body longer than
    /// [`BODY_LIMIT`] only the beginning.
    ///
    /// # Errors
    ///
    /// See [`CallError`]. A response with any status is no error.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, CallError> {
        let request = self.request(method, url, headers, body)?;
        let response = async {
            let response = spin_sdk::http::send(request).await;
            let (head, body) = response.map_err(|error| self.failed(error))?.into_parts();
            let body = body::read_limited(&mut body.stream()).await;
            let mut body = body.map_err(|error| CallError::Failed(format!("{error:?}")))?;
            // The status alone may be an answer, such as that of a payment gateway.
            body.truncate(BODY_LIMIT);
            sent_response(Response::from_parts(head, body))
        };
        let timed_out = Err(CallError::TimedOut(self.timeout));
        with_timeout(self.timeout, response)
            .await
            .unwrap_or(timed_out)
    }

    fn request(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let invalid = |part: &str| not_sent(format!("`{part}` is invalid"));
        let uri: Uri = url.parse().map_err(|_| invalid(url))?;
        let length = body.len();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(name))?;
            let value = HeaderValue::from_str(value).map_err(|_| invalid(value))?;
            request.headers_mut().insert(name, value);
        }
        if length > 0 {
            let json = HeaderValue::from_static("application/json");
            request
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, json);
        }
        // With a known length no host sends the body in chunks, which some servers do not support.
        if request.method() != Method::GET {
            request
                .headers_mut()
                .insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        request
            .extensions_mut()
            .insert(RequestOptionsExtension(self.options()));
        Ok(request)
    }

    fn failed(&self, error: ErrorCode) -> CallError {
        match error {
            // The timer of the host expired before the timer of this call.
            ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::HttpResponseTimeout => CallError::TimedOut(self.timeout),
            // Every host checks the manifest before it sends a request.
            ErrorCode::HttpRequestDenied => not_sent("the manifest does not allow the host".into()),
            other => CallError::Failed(format!("{other:?}")),
        }
    }

    /// The same timeout for the host, so that it ends its side of the call.
    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let nanos = u64::try_from(self.timeout.as_nanos()).ok();
        // On a host without these options, the timer of `call` alone bounds the call.
        let _ = options.set_connect_timeout(nanos);
        let _ = options.set_first_byte_timeout(nanos);
        let _ = options.set_between_bytes_timeout(nanos);
        options
    }
}

/// The response, unless the host gave it to a request that it did not send.
fn sent_response(response: Response) -> Result<Response, CallError> {
    match upstream::was_not_sent(&response) {
        true => Err(CallError::NotSent {
            why: format!("the host answered {}", response.status()),
            retry_after: upstream::retry_after(&response),
        }),
        false => Ok(response),
    }
}

fn not_sent(why: String) -> CallError {
    CallError::NotSent {
        why,
        retry_after: None,
    }
}
