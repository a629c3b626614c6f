//! From a request of WASI HTTP to its head and the chunks of its body.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    request::Parts,
    uri::{Authority, Scheme},
};
use wasip3::{
    http::types::{ErrorCode, Fields, Request, Trailers},
    wit_bindgen::{FutureReader, StreamReader, StreamResult},
    wit_future,
};

/// The room for one chunk of a body whose length is unknown, in bytes.
const CHUNK_LENGTH: usize = 16 * 1024;

/// The longest chunk that is read at once, in bytes.
const MAX_CHUNK_LENGTH: u64 = 128 * 1024;

/// The chunks of a body, in order.
pub struct BodyChunks(Option<Started>);

struct Started {
    stream: StreamReader<u8>,
    end: FutureReader<Result<Option<Trailers>, ErrorCode>>,
    chunk_length: usize,
}

/// The head of a request, and its body. A body without a length that follows a method without a meaning for it is not read.
///
/// # Errors
///
/// The address or a header of the request is malformed.
pub fn receive(request: Request) -> Result<(Parts, BodyChunks), ErrorCode> {
    let method =
        Method::try_from(request.get_method()).map_err(|_| ErrorCode::HttpRequestMethodInvalid)?;
    let headers = headers(&request.get_headers())?;
    let uri = uri(&request, &headers)?;
    let (mut parts, ()) = http::Request::new(()).into_parts();
    let body = match chunk_length(&method, &headers) {
        None => BodyChunks(None),
        Some(chunk_length) => BodyChunks::start(request, chunk_length),
    };
    parts.method = method;
    parts.uri = uri;
    parts.headers = headers;
    Ok((parts, body))
}

fn headers(fields: &Fields) -> Result<HeaderMap, ErrorCode> {
    let fields = fields.copy_all();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        let name = HeaderName::try_from(name).map_err(malformed)?;
        headers.append(name, HeaderValue::try_from(value).map_err(malformed)?);
    }
    Ok(headers)
}

/// The URI with its scheme. The authority is that of the header `Host` if there is one: only without it does the host know
/// more.
fn uri(request: &Request, headers: &HeaderMap) -> Result<Uri, ErrorCode> {
    let mut parts = http::uri::Parts::default();
    let path = request.get_path_with_query().unwrap_or_else(|| "/".into());
    parts.path_and_query = Some(path.try_into().map_err(invalid_uri)?);
    let host = headers
        .get(HOST)
        .and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let asked = || request.get_authority()?.parse().ok();
    parts.authority = host.or_else(asked);
    if parts.authority.is_some() {
        parts.scheme = Some(match request.get_scheme() {
            None => Scheme::HTTP,
            Some(scheme) => scheme.try_into().map_err(invalid_uri)?,
        });
    }
    Uri::from_parts(parts).map_err(invalid_uri)
}

/// The room for one chunk of the body, in bytes; `None` if the request has no body.
fn chunk_length(method: &Method, headers: &HeaderMap) -> Option<usize> {
    if let Some(length) = headers.get(CONTENT_LENGTH) {
        let length: Option<u64> = length.to_str().ok().and_then(|length| length.parse().ok());
        return match length {
            Some(0) => None,
            // One byte more than the body, so that its end needs no second read.
            Some(length) => usize::try_from(length.min(MAX_CHUNK_LENGTH) + 1).ok(),
            None => Some(CHUNK_LENGTH),
        };
    }
    let without_body = [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE];
    let may_have_body = !without_body.contains(method) || headers.contains_key(TRANSFER_ENCODING);
    may_have_body.then_some(CHUNK_LENGTH)
}

fn malformed(error: impl std::fmt::Display) -> ErrorCode {
    ErrorCode::InternalError(Some(error.to_string()))
}

fn invalid_uri<E>(_: E) -> ErrorCode {
    ErrorCode::HttpRequestUriInvalid
}

impl BodyChunks {
    fn start(request: Request, chunk_length: usize) -> Self {
        // The host learns from this future that the request was handled, as soon as the writer is dropped.
        let (_, handled) = wit_future::new(|| Ok(()));
        let (stream, end) = Request::consume_body(request, handled);
        Self(Some(Started {
            stream,
            end,
            chunk_length,
        }))
    }

    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    ///
    /// The body broke off. There are no further chunks.
    pub async fn next(&mut self) -> Option<Result<Vec<u8>, ErrorCode>> {
        let started = self.0.as_mut()?;
        let room = Vec::with_capacity(started.chunk_length);
        match started.stream.read(room).await {
            (StreamResult::Complete(_), chunk) => Some(Ok(chunk)),
            (StreamResult::Dropped | StreamResult::Cancelled, _) => {
                let Started { end, .. } = self.0.take()?;
                end.await.err().map(Err)
            }
        }
    }
}
