//! The body of a response: empty, long, or a part of what its length announces.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::BodyEnd;

/// The body of one response.
#[derive(Debug, Default)]
pub struct StubBody {
    content_length: u64,
    part: Option<Bytes>,
    end: Option<BodyEnd>,
}

impl StubBody {
    /// A body of 100 000 bytes.
    pub fn long() -> Self {
        let part = Bytes::from_static(&[b' '; 100_000]);
        Self {
            content_length: part.len() as u64,
            part: Some(part),
            end: None,
        }
    }

    /// A body that announces twice as many bytes as it sends.
    pub fn partial(end: BodyEnd) -> Self {
        let part = Bytes::from_static(b"{\"approved\":");
        Self {
            content_length: part.len() as u64 * 2,
            part: Some(part),
            end: Some(end),
        }
    }
}

impl Body for StubBody {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match (self.part.take(), self.end) {
            (Some(part), _) => Poll::Ready(Some(Ok(Frame::data(part)))),
            (None, None) => Poll::Ready(None),
            // Nothing wakes this task again: the connection ends with the gateway or with its client.
            (None, Some(BodyEnd::Stalls)) => Poll::Pending,
            (None, Some(BodyEnd::Disconnects)) => Poll::Ready(Some(Err("disconnected"))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.part.is_none() && self.end.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.content_length)
    }
}
