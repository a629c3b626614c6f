//! The socket of one connection, which reports what flows through it.
//!
//! It reports received bytes and stalled writes to [`ConnectionState`], ends a connection whose client reads nothing for
//! too long or never catches up, and hands the socket back when the HTTP protocol has ended, so that the last response
//! reaches a client that still sends.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::connections::ConnectionState;
use config::policy::ListenerLimits;

/// How long unread request bytes are read and discarded after the last response.
const LINGER: Duration = Duration::from_secs(1);

/// Unread request bytes that are discarded, at most.
const MAX_DISCARDED: u64 = 64 << 20;

/// A socket that reports reads and writes.
pub struct MonitoredIo {
    /// Present until this value is dropped.
    stream: Option<TcpStream>,
    return_to: Option<oneshot::Sender<TcpStream>>,
    connection: Arc<ConnectionState>,
    limits: Arc<ListenerLimits>,
    /// The timeout of a write, while the client reads nothing.
    write_timeout: Option<Pin<Box<Sleep>>>,
    /// When the client fell behind: since then it has not read all bytes that were offered.
    behind_since: Option<Instant>,
}

impl MonitoredIo {
    /// Monitors a socket. The receiver gets it back when this value is dropped.
    pub fn new(
        stream: TcpStream,
        connection: Arc<ConnectionState>,
        limits: Arc<ListenerLimits>,
    ) -> (Self, oneshot::Receiver<TcpStream>) {
        let (return_to, returned) = oneshot::channel();
        let io = Self {
            stream: Some(stream),
            return_to: Some(return_to),
            connection,
            limits,
            write_timeout: None,
            behind_since: None,
        };
        (io, returned)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.stream {
            Some(stream) => Ok(Pin::new(stream)),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Accounts for a write of `offered` bytes and ends a connection whose client does not read.
    fn after_write(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() && self.write_timeout.take().is_some() {
            self.connection.write_resumed();
        }
        if matches!(written, Poll::Ready(Ok(taken)) if taken == offered) {
            self.behind_since = None;
            return written;
        }
        let now = Instant::now();
        let until = *self.behind_since.get_or_insert(now) + self.limits.answer_time;
        if written.is_ready() {
            return match now < until {
                true => written,
                false => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            };
        }
        let until = until.min(now + self.limits.write_pause);
        let connection = &self.connection;
        let timeout = self.write_timeout.get_or_insert_with(|| {
            connection.write_stalled();
            Box::pin(tokio::time::sleep_until(until))
        });
        timeout
            .as_mut()
            .poll(cx)
            .map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for MonitoredIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.stream()?.poll_read(cx, buffer);
        if let Some(bytes) = buffer.filled().get(before..)
            && !bytes.is_empty()
        {
            self.connection.received(bytes);
        }
        read
    }
}

impl AsyncWrite for MonitoredIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, bytes);
        self.after_write(cx, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, slices);
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.after_write(cx, offered, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

impl Drop for MonitoredIo {
    fn drop(&mut self) {
        if let (Some(stream), Some(return_to)) = (self.stream.take(), self.return_to.take()) {
            // Without a receiver the task of the connection has ended, and the socket closes.
            let _ = return_to.send(stream);
        }
    }
}

/// Sends 408 for a request whose head was never completed.
pub async fn send_request_timeout(stream: &mut TcpStream) {
    let response = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // A client that does not read this is disconnected all the same.
    let _ = tokio::time::timeout(LINGER, stream.write_all(response.as_bytes())).await;
}

/// Closes a socket so that the last written bytes arrive.
///
/// A socket that is closed with unread bytes is reset, and the reset can overtake the response. So the remaining bytes
/// are read and discarded, for a bounded time.
pub async fn linger(mut stream: TcpStream) {
    let until = Instant::now() + LINGER;
    let discard = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(MAX_DISCARDED), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout_at(until, discard).await;
}
