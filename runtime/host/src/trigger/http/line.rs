//! The socket of one connection, with an eye on what flows through it.
//!
//! It tells [`Presence`] when bytes come, gives a client up that takes nothing of its answer for too long, or never all
//! of it, and hands the socket back when the HTTP protocol has ended, so that the last answer can reach a client that
//! still sends.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use super::presence::Presence;
use config::policy::Listener;

/// How long what a client still sends is read and thrown away.
const LINGER: Duration = Duration::from_secs(1);

/// How much of it.
const LEFTOVERS: u64 = 64 << 20;

/// What every HTTP/2 connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// A socket that is watched.
pub struct Line {
    /// There until the line is dropped.
    stream: Option<TcpStream>,
    back: Option<oneshot::Sender<TcpStream>>,
    presence: Arc<Presence>,
    limits: Arc<Listener>,
    /// Set while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Since when it has not taken all that there was for it.
    behind: Option<Instant>,
}

impl Line {
    /// Watches a socket; the receiver gets it back when the line is dropped.
    pub fn new(
        stream: TcpStream,
        presence: Arc<Presence>,
        limits: Arc<Listener>,
    ) -> (Self, oneshot::Receiver<TcpStream>) {
        let (back, returned) = oneshot::channel();
        let line = Self {
            stream: Some(stream),
            back: Some(back),
            presence,
            limits,
            stalled: None,
            behind: None,
        };
        (line, returned)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match &mut self.stream {
            Some(stream) => Ok(Pin::new(stream)),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// What has become of so many bytes.
    fn written(
        &mut self,
        cx: &mut Context<'_>,
        offered: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() && self.stalled.take().is_some() {
            self.presence.writes(false);
        }
        if matches!(written, Poll::Ready(Ok(taken)) if taken == offered) {
            self.behind = None;
            return written;
        }
        let now = Instant::now();
        let until = *self.behind.get_or_insert(now) + self.limits.answer_time;
        if written.is_ready() {
            return match now < until {
                true => written,
                false => Poll::Ready(Err(ErrorKind::TimedOut.into())),
            };
        }
        let until = until.min(now + self.limits.write_pause);
        let presence = &self.presence;
        let alarm = self.stalled.get_or_insert_with(|| {
            presence.writes(true);
            Box::pin(tokio::time::sleep_until(until))
        });
        alarm
            .as_mut()
            .poll(cx)
            .map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
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
            self.presence.hears(bytes.starts_with(PREFACE));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, bytes);
        self.written(cx, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, slices);
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.written(cx, offered, written)
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

impl Drop for Line {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            // Nobody waits for it if the connection's task is gone: then it just closes.
            let _ = back.send(stream);
        }
    }
}

/// Says why a request whose head never came to an end is given up.
pub async fn too_late(stream: &mut TcpStream) {
    let answer = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    // Whoever does not listen does not need to know.
    let _ = tokio::time::timeout(LINGER, stream.write_all(answer.as_bytes())).await;
}

/// Closes a socket such that what was last written arrives.
///
/// A socket that is closed with unread bytes in it is reset, and a reset overtakes the answer. So the rest is read and
/// thrown away, for a bounded time.
pub async fn linger(mut stream: TcpStream) {
    let until = Instant::now() + LINGER;
    let throw_away = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LEFTOVERS), &mut tokio::io::sink()).await
    };
    let _ = tokio::time::timeout_at(until, throw_away).await;
}
