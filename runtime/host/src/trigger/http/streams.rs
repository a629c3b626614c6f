//! HTTP/2 streams whose clients must read the response.
//!
//! The socket does not show whether a client reads: a client can keep the connection busy and give one stream no
//! window, and hyper then does not poll the rest of that response. So each stream has a task that ends it when the
//! client has read nothing for `write_pause`, or was behind for `answer_time` ([`ListenerLimits`]), or when the memory of
//! all answers is used up and it is the slowest ([`AnswerBudget`]). The other streams of the connection continue.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::debug;
use wasmtime_wasi_http::{Error, WasiBody};

use super::answer_budget::{AnswerBudget, GiveUp, HeldAnswer};
use super::connections::{ConnectionState, UnreadGuard};
use crate::body::{BodyObserver, ObservedBody};
use config::policy::ListenerLimits;

/// The largest frame, in bytes: progress shows only when the client has read a whole frame.
const MAX_FRAME: usize = 16 << 10;

tokio::task_local! {
    /// The progress of the response on the stream that the task serves.
    static PROGRESS: Arc<WriteProgress>;
}

/// Runs the streams of a connection, and ends those whose client does not read.
#[derive(Clone)]
pub struct H2Executor {
    write_pause: Duration,
    answer_time: Duration,
}

/// How far a client is with reading a response.
#[derive(Default)]
struct WriteProgress {
    /// Absent before and after the response, and while there is nothing to read.
    unread: Mutex<Option<Unread>>,
    started: Notify,
    given_up: Notify,
    /// The connection of the response, which a client that does not read may lose to another one.
    connection: OnceLock<Arc<ConnectionState>>,
}

struct Unread {
    /// When the client was offered the last frame.
    offered: Instant,
    /// Since when there has always been something to read.
    behind: Instant,
    on_connection: Option<UnreadGuard>,
}

/// A body in frames of at most [`MAX_FRAME`] bytes.
struct SplitBody {
    body: WasiBody,
    /// The rest of the last frame.
    rest: Bytes,
    /// The bytes that wait for the client. A short answer is not counted.
    held: Option<HeldBytes>,
}

/// A tracked answer, and the limit of all of them in bytes.
type HeldBytes = (HeldAnswer, usize);

/// Reports the frames that a client is offered.
struct ReportProgress(Arc<WriteProgress>);

/// The memory of all answers of a listener.
#[derive(Clone, Copy)]
pub struct AnswerLimit<'a> {
    /// The answers.
    pub answers: &'a AnswerBudget,
    /// The bytes that may wait in all.
    pub bytes: usize,
}

/// The body of a response whose client must read it. An answer on a connection without streams ends with its
/// connection.
pub fn watched(
    body: WasiBody,
    connection: &Arc<ConnectionState>,
    limit: AnswerLimit<'_>,
) -> WasiBody {
    let length = body.size_hint().upper();
    let is_short = length.is_some_and(|length| length <= MAX_FRAME as u64);
    let progress = PROGRESS.try_with(Arc::clone).ok();
    let give_up: GiveUp = match progress.clone() {
        Some(progress) => Arc::new(move || progress.given_up.notify_one()),
        None => {
            let connection = connection.clone();
            Arc::new(move || connection.give_up_answer())
        }
    };
    let held = (!is_short).then(|| (limit.answers.hold(give_up), limit.bytes));
    match progress {
        None if is_short => body,
        progress => {
            let progress = progress.unwrap_or_default();
            // The first response of the stream is the only one.
            let _ = progress.connection.set(connection.clone());
            progress.offer();
            observed(body, progress, held).boxed_unsync()
        }
    }
}

fn observed(
    body: WasiBody,
    progress: Arc<WriteProgress>,
    held: Option<HeldBytes>,
) -> ObservedBody<ReportProgress> {
    let rest = Bytes::new();
    let split = SplitBody { body, rest, held }.boxed_unsync();
    ObservedBody::observed(split, ReportProgress(progress))
}

// === impl H2Executor ===

impl H2Executor {
    /// Runs streams within these limits.
    pub fn new(limits: &ListenerLimits) -> Self {
        Self {
            write_pause: limits.write_pause,
            answer_time: limits.answer_time,
        }
    }
}

impl<F> Executor<F> for H2Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self {
            write_pause,
            answer_time,
        } = *self;
        let progress = Arc::<WriteProgress>::default();
        let served = PROGRESS.scope(progress.clone(), stream);
        tokio::spawn(async move {
            tokio::select! {
                // A response that is read at once sets no timer.
                biased;
                _ = served => {}
                () = progress.stalled(write_pause, answer_time) => debug!("a client did not read its response"),
                () = progress.given_up.notified() => debug!("a slow client lost its response"),
            }
        });
    }
}

// === impl WriteProgress ===

impl WriteProgress {
    /// There is something to read.
    fn offer(&self) {
        let now = Instant::now();
        let mut unread = self.unread.lock();
        match &mut *unread {
            Some(unread) => {
                unread.offered = now;
                unread.on_connection.iter().for_each(UnreadGuard::next_part);
            }
            None => {
                *unread = Some(Unread {
                    offered: now,
                    behind: now,
                    on_connection: self.connection.get().map(ConnectionState::begin_unread),
                });
                self.started.notify_one();
            }
        }
    }

    /// The client has read everything.
    fn caught_up(&self) {
        *self.unread.lock() = None;
    }

    /// Returns when the client has read too slowly.
    async fn stalled(&self, write_pause: Duration, answer_time: Duration) {
        loop {
            let unread = self.unread.lock().as_ref().map(Unread::times);
            let Some((offered, behind)) = unread else {
                self.started.notified().await;
                continue;
            };
            let deadline = (behind + answer_time).min(offered + write_pause);
            if deadline <= Instant::now() {
                return;
            }
            sleep_until(deadline).await;
        }
    }
}

// === impl Unread ===

impl Unread {
    fn times(&self) -> (Instant, Instant) {
        (self.offered, self.behind)
    }
}

// === impl ReportProgress ===

impl BodyObserver for ReportProgress {
    fn on_frame(&mut self, frame: &Frame<Bytes>, _: &WasiBody) {
        if frame.is_data() {
            self.0.offer();
        }
    }

    fn on_pending(&mut self, _: &mut Context<'_>) -> Poll<Error> {
        // The client would read more, if there were more.
        self.0.caught_up();
        Poll::Pending
    }

    fn on_end(&mut self) -> Result<(), Error> {
        self.0.caught_up();
        Ok(())
    }

    fn on_error(&mut self, _: &Error) {
        self.0.caught_up();
    }
}

// === impl SplitBody ===

impl Body for SplitBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Self { body, rest, held } = &mut *self;
        if rest.is_empty() {
            match Pin::new(body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => *rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return other,
            }
        }
        let frame = rest.split_to(rest.len().min(MAX_FRAME));
        if let Some((held, limit)) = held {
            held.waits_with(rest.len(), *limit);
        }
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::full;
    use http_body_util::StreamBody;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    fn offered(body: WasiBody) -> (ObservedBody<ReportProgress>, Arc<WriteProgress>) {
        let progress = Arc::<WriteProgress>::default();
        progress.offer();
        (observed(body, progress.clone(), None), progress)
    }

    #[tokio::test]
    async fn a_stream_whose_client_reads_nothing_ends() {
        let (_body, progress) = offered(full("text"));
        let since = Instant::now();
        progress.stalled(SHORT, LONG).await;
        assert!(since.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_stream_whose_client_is_behind_for_too_long_ends() {
        let (mut body, progress) = offered(full(vec![0; 1000 * MAX_FRAME]));
        let since = Instant::now();
        let trickle = async {
            while body.frame().await.is_some() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        tokio::select! {
            () = trickle => panic!("the stream had no limit"),
            () = progress.stalled(LONG, SHORT) => {}
        }
        assert!(since.elapsed() >= SHORT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_client_reads_every_frame_continues() {
        let (parts, body) = futures::channel::mpsc::unbounded();
        let (mut body, progress) = offered(StreamBody::new(body).boxed_unsync());
        let (taken, fed) = (async { while body.frame().await.is_some() {} }, async {
            for _ in 0..10 {
                tokio::time::sleep(SHORT).await;
                let part = Frame::data(Bytes::from_static(b"part"));
                parts.unbounded_send(Ok(part)).unwrap();
            }
            parts.close_channel();
        });
        tokio::select! {
            _ = futures::future::join(taken, fed) => {}
            () = progress.stalled(LONG, 2 * SHORT) => panic!("the client was not behind"),
        }
    }

    #[tokio::test]
    async fn a_stream_without_an_unread_frame_continues() {
        let (mut body, progress) = offered(full("text"));
        let stays = async |progress: &WriteProgress| {
            let stalled = progress.stalled(SHORT / 10, LONG);
            tokio::time::timeout(SHORT, stalled).await.is_err()
        };
        progress.caught_up();
        assert!(stays(&progress).await);
        while body.frame().await.is_some() {}
        assert!(stays(&progress).await);
    }
}
