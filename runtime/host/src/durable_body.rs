//! The body of a response whose bytes leave the process only after the writes of the call are durable.
//!
//! A component may write after the head of its response. A part of the body that it sends then can depend on that write,
//! so each part waits as the head did.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::body::{Body, Frame, SizeHint};
use tracing::warn;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::call::Call;
use storage::database::DatabaseError;

/// A body whose frames wait for the writes of a call.
pub struct DurableBody {
    body: WasiBody,
    call: Call,
    /// A frame that waits.
    waiting: Option<(Frame<Bytes>, Durability)>,
}

/// The wait for the durability of writes.
type Durability = BoxFuture<'static, Result<(), DatabaseError>>;

// === impl DurableBody ===

impl DurableBody {
    /// The body of the response to this call.
    pub fn new(body: WasiBody, call: Call) -> Self {
        Self {
            body,
            call,
            waiting: None,
        }
    }
}

impl Body for DurableBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.waiting.is_none() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let call = this.call.clone();
                    let wait = Box::pin(async move { call.wait_durable().await });
                    this.waiting = Some((frame, wait));
                }
                other => return other,
            }
        }
        let Some((frame, mut wait)) = this.waiting.take() else {
            return Poll::Pending;
        };
        match wait.as_mut().poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Err(error)) => {
                warn!(%error, "the rest of a response is withheld: its writes are not durable");
                let text = "what was changed could not be kept".to_owned();
                Poll::Ready(Some(Err(Error::InternalError(Some(text)))))
            }
            Poll::Pending => {
                this.waiting = Some((frame, wait));
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.waiting {
            // A waiting frame is a part of the length that the body no longer reports.
            Some(_) => SizeHint::default(),
            None => self.body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::trace::Trace;
    use storage::database::Database;

    #[tokio::test]
    async fn a_part_of_a_body_waits_for_the_writes_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socar.db");
        let database = Database::open(&path).unwrap();
        database
            .create_schema("CREATE TABLE thing (id INTEGER)")
            .unwrap();
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
        call.track_writes(&database);
        let (parts, body) = futures::channel::mpsc::unbounded();
        let mut body = DurableBody::new(StreamBody::new(body).boxed_unsync(), call);
        for written in 1..=20 {
            database
                .write(|it| it.execute("INSERT INTO thing VALUES (1)", []))
                .unwrap();
            let part = Frame::data(Bytes::from_static(b"part"));
            parts.unbounded_send(Ok(part)).unwrap();
            body.frame().await.unwrap().unwrap();
            let outside = rusqlite::Connection::open(&path).unwrap();
            let count: i64 = outside
                .query_row("SELECT count(*) FROM thing", [], |row| row.get(0))
                .unwrap();
            assert_eq!(count, written);
        }
    }
}
