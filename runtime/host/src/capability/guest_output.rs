//! The output of a guest: each line becomes one log event with the name of the component.
//!
//! A line of more than [`MAX_LINE`] bytes is split, which bounds the memory of the host. The event carries the ids of the
//! request and the span that the instance handles when the line is complete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tracing::{info, warn};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

use crate::trace::Trace;

/// The longest line that is logged as one event, in bytes.
const MAX_LINE: usize = 8 << 10;

/// The stream of a line.
#[derive(Clone, Copy, Debug)]
pub enum GuestStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One of a guest's output streams.
#[derive(Clone)]
pub struct GuestOutput(Arc<Mutex<LineBuffer>>);

struct LineBuffer {
    component: Arc<str>,
    stream: GuestStream,
    trace: CurrentTrace,
    bytes: Vec<u8>,
}

/// The trace of the request that an instance handles, shared with its output streams.
#[derive(Clone, Default)]
pub struct CurrentTrace(Arc<Mutex<Option<Trace>>>);

// === impl GuestOutput ===

impl GuestOutput {
    /// A stream whose lines are logged for this component.
    pub fn new(component: Arc<str>, stream: GuestStream, trace: CurrentTrace) -> Self {
        Self(Arc::new(Mutex::new(LineBuffer {
            component,
            stream,
            trace,
            bytes: Vec::new(),
        })))
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.0.lock().push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_LINE)
    }
}

#[async_trait::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestOutput {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.lock().push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

// === impl LineBuffer ===

impl LineBuffer {
    fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.bytes.extend_from_slice(&bytes[..end]);
            self.log();
            bytes = &bytes[end + 1..];
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() >= MAX_LINE {
            self.log();
        }
    }

    fn log(&mut self) {
        let line = String::from_utf8_lossy(&self.bytes);
        let trace = self.trace.0.lock();
        let trace = trace.as_ref();
        let component = &*self.component;
        let request_id = trace.map(Trace::id).unwrap_or_default();
        let (trace_id, span_id) = (
            trace.and_then(Trace::trace_id),
            trace.and_then(Trace::span_id),
        );
        match self.stream {
            GuestStream::Stdout => {
                info!(target: "guest", component, request_id, trace_id, span_id, "{line}");
            }
            GuestStream::Stderr => {
                warn!(target: "guest", component, request_id, trace_id, span_id, stream = "stderr", "{line}");
            }
        }
        self.bytes.clear();
    }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.log();
        }
    }
}

// === impl CurrentTrace ===

impl CurrentTrace {
    /// Sets the trace of the lines that follow.
    pub fn set(&self, trace: Trace) {
        *self.0.lock() = Some(trace);
    }
}
