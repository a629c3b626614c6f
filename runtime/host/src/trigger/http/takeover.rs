//! A response that takes over its connection, because it lasts much longer than its request.
//!
//! hyper keeps two buffers of 8 KiB and its state as long as a response lasts. A client that listens for changes needs
//! none of it: after the head of the response there is nothing to parse. So hyper sends the head, its connection is
//! dropped, and [`send`] writes the rest as chunks (RFC 9112, section 7.1). The connection ends with the response, as its
//! head says.
//!
//! A response over HTTP/1.0 has no chunks, and one over HTTP/2 shares its connection with others: both stay with hyper.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::CONNECTION;
use http::{HeaderValue, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame};
use parking_lot::Mutex;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use wasmtime_wasi_http::{Error, WasiBody};

use super::monitored_io::MonitoredIo;

/// The bytes that a client may send after its request. They are discarded.
const MAX_DISCARDED: usize = 16 << 10;

/// In the extensions of a response: it may take over its connection.
#[derive(Clone, Copy)]
pub struct LongLived;

/// The response of a connection that takes it over, if there is one.
#[derive(Clone, Default)]
pub struct Takeover(Arc<Mutex<TakeoverState>>);

#[derive(Default)]
enum TakeoverState {
    /// hyper serves the connection.
    #[default]
    None,
    /// hyper is to send the head of the response with this body.
    HeadPending(WasiBody),
    /// hyper has written the head, and flushes it before its next wait.
    HeadWritten(WasiBody),
}

/// The body of a response whose head hyper sends: it never has a frame, and notes that hyper is past the head.
struct HeadOnly(Takeover);

/// How a response ended.
#[derive(Debug, PartialEq, Eq)]
pub enum ResponseEnd {
    /// The client got all of it.
    Complete,
    /// The response failed, and the client must not take it for complete.
    Failed,
    /// The client has gone, or does not read.
    ClientGone,
}

// === impl Takeover ===

impl Takeover {
    /// Returns the response as hyper is to send it. `version` is the one of the request.
    pub fn prepare(
        &self,
        version: Version,
        mut response: Response<WasiBody>,
    ) -> Response<WasiBody> {
        let is_long_lived = response.extensions_mut().remove::<LongLived>().is_some();
        if !is_long_lived || version != Version::HTTP_11 {
            return response;
        }
        let (mut head, body) = response.into_parts();
        head.headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
        *self.0.lock() = TakeoverState::HeadPending(body);
        Response::from_parts(head, HeadOnly(self.clone()).boxed_unsync())
    }

    /// The rest of the response, once hyper has written its head.
    pub fn take(&self) -> Option<WasiBody> {
        let mut state = self.0.lock();
        match std::mem::take(&mut *state) {
            TakeoverState::HeadWritten(body) => Some(body),
            other => {
                *state = other;
                None
            }
        }
    }

    fn head_written(&self) {
        let mut state = self.0.lock();
        *state = match std::mem::take(&mut *state) {
            TakeoverState::HeadPending(body) => TakeoverState::HeadWritten(body),
            other => other,
        };
    }
}

// === impl HeadOnly ===

impl Body for HeadOnly {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.head_written();
        Poll::Pending
    }
}

/// Sends the rest of a response, until it ends or the client goes.
pub async fn send(io: &mut MonitoredIo, mut body: WasiBody) -> ResponseEnd {
    let mut discarded = 0;
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = std::future::poll_fn(|cx| poll_gone(io, &mut discarded, cx)) => {
                return ResponseEnd::ClientGone;
            }
        };
        let (chunk, end) = match frame {
            Some(Ok(frame)) => match frame.into_data() {
                // An empty chunk is the end.
                Ok(data) if data.is_empty() => continue,
                Ok(data) => (data, None),
                Err(_trailers) => continue,
            },
            Some(Err(_)) => return ResponseEnd::Failed,
            None => (Bytes::new(), Some(ResponseEnd::Complete)),
        };
        if write_chunk(io, chunk).await.is_err() {
            return ResponseEnd::ClientGone;
        }
        if let Some(end) = end {
            return end;
        }
    }
}

async fn write_chunk(io: &mut MonitoredIo, data: Bytes) -> std::io::Result<()> {
    let length = Bytes::from(format!("{:x}\r\n", data.len()));
    let mut chunk = length.chain(data).chain(&b"\r\n"[..]);
    io.write_all_buf(&mut chunk).await
}

/// Ready when the client has closed its side, or sends more than a client with one request would.
fn poll_gone(io: &mut MonitoredIo, discarded: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
    while *discarded <= MAX_DISCARDED {
        let mut space = [0; 1024];
        let mut buffer = ReadBuf::new(&mut space);
        let read = ready!(Pin::new(&mut *io).poll_read(cx, &mut buffer));
        if read.is_err() || buffer.filled().is_empty() {
            break;
        }
        *discarded += buffer.filled().len();
    }
    Poll::Ready(())
}
