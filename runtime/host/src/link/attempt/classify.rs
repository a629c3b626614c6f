//! The body of an answer, until it is known whether it is one.
//!
//! A good head promises nothing yet: the other side may stall in the middle, or break off. So the attempt is classified by
//! how its body ends, and only an answer whose body is here already is classified at once. Who stops reading without
//! waiting for more has what he wanted; who leaves while he waits is classified like anybody who goes before the end. And who
//! takes his time to read does not make the other side slow.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{CallOutcome, PendingOutcome};
use crate::body::is_complete;

/// A body that tells the breaker how it ended.
struct ClassifiedBody {
    body: WasiBody,
    /// Nothing once it has been classified.
    pending: Option<PendingOutcome>,
    /// Whoever reads waits for more.
    is_awaited: bool,
    /// Since when he does not, and is busy with what he has.
    idle_since: Instant,
    /// Who has not got all of it by then has waited in vain.
    until: Instant,
    /// Set while it is waited for: most bodies are never.
    timer: Option<Pin<Box<Sleep>>>,
}

/// An answer with a good head, which is classified by how its body ends, and late if that is not until then.
pub(super) fn classified(
    response: Response<WasiBody>,
    mut pending: PendingOutcome,
    until: Instant,
) -> Response<WasiBody> {
    if is_complete(response.body()) {
        pending.record(CallOutcome::Success);
        return response;
    }
    response.map(|body| {
        let classified = ClassifiedBody {
            body,
            pending: Some(pending),
            is_awaited: false,
            idle_since: Instant::now(),
            until,
            timer: None,
        };
        classified.boxed_unsync()
    })
}

// === impl ClassifiedBody ===

impl ClassifiedBody {
    fn classify(&mut self, outcome: CallOutcome) {
        self.timer = None;
        if let Some(mut pending) = self.pending.take() {
            pending.record(outcome);
        }
    }

    /// Whoever reads wants more.
    fn end_idle(&mut self) {
        if let Some(pending) = &mut self.pending
            && !self.is_awaited
        {
            pending.idle += self.idle_since.elapsed();
        }
    }

    fn wait(&mut self, cx: &mut Context<'_>) {
        if self.pending.is_none() {
            return;
        }
        let until = self.until.into();
        let new = || Box::pin(tokio::time::sleep_until(until));
        let timer = self.timer.get_or_insert_with(new);
        if timer.as_mut().poll(cx).is_ready() {
            self.classify(CallOutcome::TimedOut);
        }
    }
}

impl Body for ClassifiedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        this.end_idle();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        this.is_awaited = frame.is_pending();
        this.idle_since = Instant::now();
        match &frame {
            Poll::Pending => this.wait(cx),
            Poll::Ready(Some(Ok(_))) if !is_complete(&this.body) => {}
            Poll::Ready(None | Some(Ok(_))) => this.classify(CallOutcome::Success),
            Poll::Ready(Some(Err(Error::ConnectionReadTimeout))) => {
                this.classify(CallOutcome::TimedOut)
            }
            Poll::Ready(Some(Err(_))) if Instant::now() >= this.until => {
                this.classify(CallOutcome::TimedOut)
            }
            Poll::Ready(Some(Err(_))) => this.classify(CallOutcome::Failure),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ClassifiedBody {
    fn drop(&mut self) {
        if !self.is_awaited {
            self.end_idle();
            self.classify(CallOutcome::Success);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::full;
    use http_body_util::StreamBody;
    use resilience::breaker::{Breaker, BreakerConfig, BreakerSettings, CallTotals, SlowCalls};
    use std::time::Duration;

    type Part = Result<Frame<Bytes>, Error>;

    const LIMIT: Duration = Duration::from_secs(60);

    /// An answer with this body, and the breaker that waits for its end.
    fn answer(body: WasiBody, limit: Duration) -> (Breaker, WasiBody) {
        let breaker = Breaker::new("link", BreakerConfig::default(), |_| {});
        let until = Instant::now() + limit;
        let pending = PendingOutcome::new(breaker.acquire().unwrap(), until, limit);
        let response = classified(Response::new(body), pending, until);
        (breaker, response.into_body())
    }

    fn of(parts: Vec<Part>) -> WasiBody {
        StreamBody::new(futures::stream::iter(parts)).boxed_unsync()
    }

    /// One part, and then nothing more.
    fn half() -> WasiBody {
        use futures::StreamExt as _;
        let never = futures::stream::pending::<Part>();
        StreamBody::new(futures::stream::iter([part()]).chain(never)).boxed_unsync()
    }

    fn part() -> Part {
        Ok(Frame::data(Bytes::from_static(b"half")))
    }

    /// Its length is known, and it is not closed after its last byte.
    struct Unclosed(Option<Bytes>);

    impl Body for Unclosed {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            match self.0.take() {
                Some(all) => Poll::Ready(Some(Ok(Frame::data(all)))),
                None => Poll::Pending,
            }
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
        }
    }

    fn counted(breaker: &Breaker) -> [u64; 3] {
        let CallTotals {
            succeeded,
            failed,
            ignored,
            ..
        } = breaker.snapshot().totals;
        [succeeded, failed, ignored]
    }

    #[tokio::test]
    async fn an_answer_is_a_success_when_its_last_byte_is_there() {
        let (breaker, _body) = answer(WasiBody::default(), LIMIT);
        assert_eq!(
            counted(&breaker),
            [1, 0, 0],
            "there was nothing to wait for"
        );
        for whole in [of(vec![part(), part()]), full("whole")] {
            let (breaker, body) = answer(whole, LIMIT);
            assert_eq!(counted(&breaker), [0; 3]);
            body.collect().await.unwrap();
            assert_eq!(counted(&breaker), [1, 0, 0]);
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_a_failure() {
        let broken = of(vec![part(), Err(Error::ConnectionTerminated)]);
        let (breaker, body) = answer(broken, LIMIT);
        body.collect().await.unwrap_err();
        assert_eq!(counted(&breaker), [0, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_stalls_is_a_failure_at_its_deadline() {
        let (breaker, mut body) = answer(half(), LIMIT);
        assert!(body.frame().await.is_some());
        assert!(tokio::time::timeout(2 * LIMIT, body.frame()).await.is_err());
        assert_eq!(counted(&breaker), [0, 1, 0]);
        drop(body);
        assert_eq!(counted(&breaker), [0, 1, 0], "once is enough");
    }

    #[tokio::test]
    async fn who_leaves_while_he_waits_says_nothing_unless_he_waited_for_long() {
        for (limit, expected) in [(LIMIT, [0, 0, 1]), (Duration::ZERO, [0, 1, 0])] {
            let (breaker, mut body) = answer(half(), limit);
            assert!(body.frame().await.is_some());
            let more = std::future::poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut body).poll_frame(cx).is_pending())
            });
            assert!(more.await);
            drop(body);
            assert_eq!(counted(&breaker), expected);
        }
    }

    #[tokio::test]
    async fn who_takes_his_time_to_read_does_not_make_the_other_side_slow() {
        let after = Duration::from_millis(100);
        let slow_calls = Some(SlowCalls { rate: 50, after });
        let settings = BreakerSettings {
            slow_calls,
            ..BreakerSettings::default()
        };
        let breaker = Breaker::new("link", BreakerConfig::new(settings).unwrap(), |_| {});
        let until = Instant::now() + LIMIT;
        let pending = PendingOutcome::new(breaker.acquire().unwrap(), until, LIMIT);
        let mut body = classified(Response::new(full("whole")), pending, until).into_body();
        std::thread::sleep(after);
        assert!(body.frame().await.is_some());
        let totals = breaker.snapshot().totals;
        assert_eq!((totals.succeeded, totals.slow), (1, 0));
    }

    #[tokio::test]
    async fn who_takes_all_his_time_to_read_blames_nobody_for_the_rest() {
        let limit = Duration::from_millis(20);
        let broken = of(vec![part(), Err(Error::ConnectionTerminated)]);
        let (breaker, mut body) = answer(broken, limit);
        assert!(body.frame().await.unwrap().is_ok());
        std::thread::sleep(limit);
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(counted(&breaker), [0, 0, 1]);
    }

    #[tokio::test]
    async fn the_last_byte_of_a_known_length_is_the_end() {
        let all = Unclosed(Some(Bytes::from_static(b"all")));
        let (breaker, mut body) = answer(all.boxed_unsync(), LIMIT);
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(counted(&breaker), [1, 0, 0]);
    }

    #[tokio::test]
    async fn who_wants_no_more_than_the_head_was_answered() {
        let (breaker, body) = answer(half(), LIMIT);
        drop(body);
        assert_eq!(counted(&breaker), [1, 0, 0]);
    }
}
