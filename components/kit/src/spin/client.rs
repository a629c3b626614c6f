//! Calls to other contexts and to the world outside, each with a limit it cannot outlive.

use super::with_timeout;
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

/// Why there is no answer. Whether the call took effect is then unknown, unless it was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The call reached nobody: the host says so, or it could not even be made. A connection that is
    /// refused is no proof of that, as it may have been the second one.
    #[error("not sent: {why}")]
    NotSent {
        /// What was in its way, for people.
        why: String,
        /// After how many seconds another try makes sense, if the host says so.
        retry_after: Option<u64>,
    },
    /// The limit went by.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// The call broke off, or its answer made no sense.
    #[error("{0}")]
    Failed(String),
}

/// Makes calls that end within a limit.
#[derive(Clone, Copy, Debug)]
pub struct HttpClient {
    timeout: Duration,
}

impl HttpClient {
    /// Calls may take up to `timeout`, answer included.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// Sends a request with a JSON body (none if empty) and reads the whole answer.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; an answer of any status is no error.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Response, CallError> {
        let request = self.request(method, url, headers, body)?;
        let answer = async {
            let answer = spin_sdk::http::send(request).await;
            let (head, body) = answer.map_err(|error| self.failed(error))?.into_parts();
            let body = body::read_limited(&mut body.stream()).await;
            let body = body.map_err(|error| CallError::Failed(format!("{error:?}")))?;
            if body.len() > BODY_LIMIT {
                return Err(CallError::Failed("the answer is too large".into()));
            }
            sent(Response::from_parts(head, body))
        };
        let timed_out = Err(CallError::TimedOut(self.timeout));
        with_timeout(self.timeout, answer)
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
        let senseless = |what: &str| not_sent(format!("{what} makes no sense"));
        let uri: Uri = url.parse().map_err(|_| senseless(url))?;
        let length = body.len();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| senseless(name))?;
            let value = HeaderValue::from_str(value).map_err(|_| senseless(value))?;
            request.headers_mut().insert(name, value);
        }
        if length > 0 {
            let json = HeaderValue::from_static("application/json");
            request
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, json);
        }
        // A known length spares chunked encoding, which not every server outside understands.
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
            // The host's clock was faster than ours.
            ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::HttpResponseTimeout => CallError::TimedOut(self.timeout),
            // Every host asks the manifest before anybody else.
            ErrorCode::HttpRequestDenied => not_sent("the manifest does not allow it".into()),
            other => CallError::Failed(format!("{other:?}")),
        }
    }

    /// Tells the host too, so that it can give up its side of the call.
    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let nanos = u64::try_from(self.timeout.as_nanos()).ok();
        // A host without these options still has the race against the sleep.
        let _ = options.set_connect_timeout(nanos);
        let _ = options.set_first_byte_timeout(nanos);
        let _ = options.set_between_bytes_timeout(nanos);
        options
    }
}

/// The answer, unless it is the host's own to a call that it did not let out.
fn sent(answer: Response) -> Result<Response, CallError> {
    match upstream::was_not_sent(&answer) {
        true => Err(CallError::NotSent {
            why: format!("the host answers {}", answer.status()),
            retry_after: upstream::retry_after(&answer),
        }),
        false => Ok(answer),
    }
}

fn not_sent(why: String) -> CallError {
    CallError::NotSent {
        why,
        retry_after: None,
    }
}
