//! The body of a response whose bytes leave the process only after the writes of the call are durable.
//!
//! A component may write after the head of its response. A part of the body that it sends then can depend on that write,
//! so each part waits as the head did. A part that arrives right after the head waits together with it: most responses wait
//! once, and are withheld as a whole if their writes are lost.

use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::timeout;
use tracing::warn;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::call::Call;
use crate::log_limiter::LogLimiter;
use storage::database::DatabaseError;

/// How long the head of a response waits for the first part of a body of known length. A component that has the body in
/// memory sends it as soon as it is asked for it.
const ARRIVAL_TIME: Duration = Duration::from_millis(10);

/// Bodies that are withheld for the same cause are one log line in ten seconds.
static WITHHELD: LazyLock<LogLimiter> = LazyLock::new(|| LogLimiter::new(1));

/// A body whose frames wait for the writes of a call.
pub struct DurableBody {
    body: WasiBody,
    call: Call,
    /// A frame that has waited.
    ready: Option<Frame<Bytes>>,
    /// A frame that waits.
    waiting: Option<(Frame<Bytes>, Durability)>,
}

/// The wait for the durability of writes.
type Durability = BoxFuture<'static, Result<(), DatabaseError>>;

// === impl DurableBody ===

impl DurableBody {
    /// Waits until the head of the response, and what has arrived of its body, may leave the process.
    ///
    /// # Errors
    /// If writes of the call are lost.
    pub async fn begin(mut body: WasiBody, call: Call) -> Result<WasiBody, DatabaseError> {
        let first = match body.size_hint().exact() {
            None | Some(0) => None,
            Some(_) => timeout(ARRIVAL_TIME, body.frame()).await.ok().flatten(),
        };
        call.wait_durable().await?;
        let ready = match first {
            Some(Ok(frame)) => Some(frame),
            Some(Err(error)) => return Ok(failed(error)),
            None => None,
        };
        let has_more = call.may_write() && !body.is_end_stream();
        Ok(match (has_more, ready) {
            (false, None) => body,
            (_, ready) => Self::new(body, call, ready).boxed_unsync(),
        })
    }

    fn new(body: WasiBody, call: Call, ready: Option<Frame<Bytes>>) -> Self {
        Self {
            body,
            call,
            ready,
            waiting: None,
        }
    }
}

/// A body that fails at once.
fn failed(error: Error) -> WasiBody {
    StreamBody::new(stream::iter([Err(error)])).boxed_unsync()
}

impl Body for DurableBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Some(frame) = this.ready.take() {
            return Poll::Ready(Some(Ok(frame)));
        }
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
                if let Some(suppressed) = WITHHELD.admit(&error.to_string()) {
                    warn!(%error, suppressed, "the rest of a response is withheld: its writes are not durable");
                }
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
        self.ready.is_none() && self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // These frames are a part of the length that the body no longer reports.
        let waiting = self.waiting.as_ref().map(|(frame, _)| frame);
        let taken = [self.ready.as_ref(), waiting].into_iter().flatten();
        let taken: usize = taken.filter_map(Frame::data_ref).map(Bytes::len).sum();
        match self.body.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(rest + taken as u64),
            None => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::full;
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
        let body = StreamBody::new(body).boxed_unsync();
        let mut body = DurableBody::begin(body, call).await.unwrap();
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

    #[tokio::test]
    async fn what_has_arrived_with_the_head_waits_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("socar.db")).unwrap();
        database
            .create_schema("CREATE TABLE thing (id INTEGER)")
            .unwrap();
        let write = |statement: &str| {
            let written = database.write(|it| it.execute_batch(statement));
            written.unwrap();
        };
        let call = Call::incoming(Trace::fresh(), Duration::from_secs(5));
        call.track_writes(&database);
        write("INSERT INTO thing VALUES (1)");
        let begun = DurableBody::begin(full("a body"), call.clone())
            .await
            .unwrap();
        assert_eq!(begun.size_hint().exact(), Some(6));
        // A write of another call is lost.
        write("INSERT INTO thing VALUES (2); ROLLBACK");
        assert_eq!(begun.collect().await.unwrap().to_bytes(), "a body");
        let lost = DurableBody::begin(full("a body"), call).await;
        assert!(lost.is_err());
    }
}
