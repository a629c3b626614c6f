//! The body of an answer: whole, a part of what it announces, or without an end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::payment_gateway::BodyEnd;

/// The bytes that an endless body sends at a time.
const PIECE: usize = 64 << 10;

/// The body of one answer.
#[derive(Debug)]
pub struct ScriptedBody {
    /// The length that the head of the response announces.
    length: Option<u64>,
    content: Option<Bytes>,
    end: ScriptedEnd,
    /// Whether the server was given the time to send what it has.
    is_flushed: bool,
}

#[derive(Debug)]
enum ScriptedEnd {
    Complete,
    Early(BodyEnd),
    Never,
}

// === impl ScriptedBody ===

impl ScriptedBody {
    /// A complete body.
    pub fn whole(content: impl Into<Bytes>) -> Self {
        let content = content.into();
        Self {
            length: Some(content.len() as u64),
            content: Some(content),
            end: ScriptedEnd::Complete,
            is_flushed: false,
        }
    }

    /// A body that announces this length and ends before it.
    pub fn partial(content: Bytes, length: usize, end: BodyEnd) -> Self {
        Self {
            length: Some(length as u64),
            content: Some(content),
            end: ScriptedEnd::Early(end),
            is_flushed: false,
        }
    }

    /// A body that goes on as long as it is read.
    pub fn endless() -> Self {
        Self {
            length: None,
            content: None,
            end: ScriptedEnd::Never,
            is_flushed: false,
        }
    }
}

impl Body for ScriptedBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if let Some(content) = self.content.take().filter(|content| !content.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(content))));
        }
        match self.end {
            ScriptedEnd::Complete => Poll::Ready(None),
            ScriptedEnd::Never => {
                let piece = Bytes::from_static(&[b' '; PIECE]);
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            // Nothing wakes this task again: the connection ends with the registry or with its client.
            ScriptedEnd::Early(BodyEnd::Stalls) => Poll::Pending,
            ScriptedEnd::Early(BodyEnd::Disconnects) if self.is_flushed => {
                Poll::Ready(Some(Err("disconnected")))
            }
            ScriptedEnd::Early(BodyEnd::Disconnects) => {
                self.is_flushed = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_sent = self.content.as_ref().is_none_or(Bytes::is_empty);
        is_sent && matches!(self.end, ScriptedEnd::Complete)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
