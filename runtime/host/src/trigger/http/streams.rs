//! The answers on an HTTP/2 connection, each with an eye on whether its client takes it.
//!
//! The socket tells nothing about that: a client may keep the connection busy and give one stream no window, and hyper
//! then does not ask for the rest of the answer until it does. So each stream has a watcher, which ends it when the
//! client has taken nothing for [`ListenerLimits::write_pause`], or was behind for [`ListenerLimits::answer_time`]. The other streams of
//! the connection go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
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

use config::policy::ListenerLimits;

/// The most that is handed over at once: what a client takes of it is seen only when it has all.
const PIECE: usize = 16 << 10;

tokio::task_local! {
    /// The answer on the stream that the task serves.
    static TAKING: Arc<Taking>;
}

/// Serves the streams of a connection.
#[derive(Clone)]
pub struct Streams {
    pause: Duration,
    whole: Duration,
}

/// How far a client is with taking an answer.
#[derive(Default)]
struct Taking {
    /// Nothing before and after the answer, and while there is nothing to take.
    progress: Mutex<Option<Progress>>,
    begun: Notify,
}

#[derive(Clone, Copy)]
struct Progress {
    /// Since when the client has something to take.
    offered: Instant,
    /// Since when there has always been something.
    behind: Instant,
}

/// The body of an answer that somebody is to take.
struct Offered {
    body: WasiBody,
    /// What is still to be handed over of its last part.
    rest: Bytes,
    taking: Arc<Taking>,
}

/// An answer whose client is watched, if it has a stream of its own.
pub fn watched(body: WasiBody) -> WasiBody {
    let Ok(taking) = TAKING.try_with(Arc::clone) else {
        return body;
    };
    taking.offer();
    let rest = Bytes::new();
    Offered { body, rest, taking }.boxed_unsync()
}

// === impl Streams ===

impl Streams {
    /// Served within these limits.
    pub fn new(limits: &ListenerLimits) -> Self {
        Self {
            pause: limits.write_pause,
            whole: limits.answer_time,
        }
    }
}

impl<F> Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, stream: F) {
        let Self { pause, whole } = *self;
        let taking = Arc::<Taking>::default();
        let served = TAKING.scope(taking.clone(), stream);
        tokio::spawn(async move {
            tokio::select! {
                // An answer that is taken at once sets no alarm.
                biased;
                _ = served => {}
                () = taking.given_up(pause, whole) => debug!("a client took no answer"),
            }
        });
    }
}

// === impl Taking ===

impl Taking {
    /// There is something to take.
    fn offer(&self) {
        let now = Instant::now();
        let mut progress = self.progress.lock();
        match &mut *progress {
            Some(progress) => progress.offered = now,
            None => {
                *progress = Some(Progress {
                    offered: now,
                    behind: now,
                });
                self.begun.notify_one();
            }
        }
    }

    /// The client has taken all there is.
    fn keeps_up(&self) {
        *self.progress.lock() = None;
    }

    /// Returns when the client has taken too long.
    async fn given_up(&self, pause: Duration, whole: Duration) {
        loop {
            let progress = *self.progress.lock();
            let Some(Progress { offered, behind }) = progress else {
                self.begun.notified().await;
                continue;
            };
            let until = (behind + whole).min(offered + pause);
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

// === impl Offered ===

impl Body for Offered {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                Poll::Pending => {
                    // The client would take more, if there were any.
                    this.taking.keeps_up();
                    return Poll::Pending;
                }
                end => {
                    this.taking.keeps_up();
                    return end;
                }
            }
        }
        this.taking.offer();
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(Frame::data(piece))))
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
    use crate::problem::full;
    use http_body_util::StreamBody;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(50);

    fn offered(body: WasiBody) -> (Offered, Arc<Taking>) {
        let taking = Arc::<Taking>::default();
        taking.offer();
        let rest = Bytes::new();
        let body = Offered {
            body,
            rest,
            taking: taking.clone(),
        };
        (body, taking)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (_body, taking) = offered(full("text"));
        let since = Instant::now();
        taking.given_up(SHORT, LONG).await;
        assert!(since.elapsed() >= SHORT);
    }

    #[tokio::test]
    async fn a_client_that_takes_a_little_now_and_then_is_given_up_in_the_end() {
        let (mut body, taking) = offered(full(vec![0; 1000 * PIECE]));
        let since = Instant::now();
        let trickle = async {
            while body.frame().await.is_some() {
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        tokio::select! {
            () = trickle => panic!("it was given all the time it wanted"),
            () = taking.given_up(LONG, SHORT) => {}
        }
        assert!(since.elapsed() >= SHORT);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_given_up_who_takes_whatever_comes() {
        let (parts, body) = futures::channel::mpsc::unbounded();
        let (mut body, taking) = offered(StreamBody::new(body).boxed_unsync());
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
            () = taking.given_up(LONG, 2 * SHORT) => panic!("he was not behind"),
        }
    }

    #[tokio::test]
    async fn nobody_is_given_up_who_waits_for_the_answer_or_has_it() {
        let (mut body, taking) = offered(full("text"));
        let stays = async |taking: &Taking| {
            let given_up = taking.given_up(SHORT / 10, LONG);
            tokio::time::timeout(SHORT, given_up).await.is_err()
        };
        taking.keeps_up();
        assert!(stays(&taking).await);
        while body.frame().await.is_some() {}
        assert!(stays(&taking).await);
    }
}
