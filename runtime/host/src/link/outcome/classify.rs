//! Classifies an attempt by how the body of its response ends.
//!
//! A good head is no success yet: the body may stall or break off. An attempt is classified at its last byte, and at once
//! only if the body is complete already. A reader that stops while no frame is pending has what it needs: the attempt is a
//! success. A reader that leaves while it waits is classified like a caller that leaves before the head. The time that a
//! reader takes between two reads does not count against the target. A probe of a half-open breaker does not wait for a slow
//! reader: after [`PROBE_IDLE_TIME`] without a read it is a success, as if the reader had stopped.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use parking_lot::Mutex;
use tokio::time::Sleep;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{CallOutcome, PendingOutcome};
use crate::body::{BodyObserver, ObservedBody, is_complete};

/// The time without a read after which a probe is a success: shorter than the shortest timeout of probes by default, so
/// that slow readers do not keep a breaker open.
const PROBE_IDLE_TIME: Duration = Duration::from_secs(1);

/// Records the outcome of an attempt for the breaker when its body ends.
struct Classify {
    progress: Arc<Mutex<BodyProgress>>,
    /// The attempt has timed out if its body is not complete by then.
    deadline: Instant,
    /// Set while the reader waits, which most readers never do.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How far the reader of a body has come.
struct BodyProgress {
    /// Absent once the outcome is recorded.
    pending: Option<PendingOutcome>,
    /// Whether the reader waits for a frame.
    is_awaited: bool,
    /// The end of the last read.
    idle_since: Instant,
}

/// A response with a good head, classified by how its body ends, and as timed out if that is not before the deadline.
pub(in crate::link) fn classified(
    response: Response<WasiBody>,
    mut pending: PendingOutcome,
    deadline: Instant,
) -> Response<WasiBody> {
    if is_complete(response.body()) {
        pending.record(CallOutcome::Success);
        return response;
    }
    let is_probe = pending.is_probe();
    let progress = Arc::new(Mutex::new(BodyProgress {
        pending: Some(pending),
        is_awaited: false,
        idle_since: Instant::now(),
    }));
    if is_probe {
        tokio::spawn(end_idle_probe(Arc::downgrade(&progress)));
    }
    response.map(|body| {
        let classify = Classify {
            progress,
            deadline,
            timer: None,
        };
        ObservedBody::observed(body, classify).boxed_unsync()
    })
}

/// Records the success of a probe whose reader is idle.
async fn end_idle_probe(progress: Weak<Mutex<BodyProgress>>) {
    let mut pause = PROBE_IDLE_TIME;
    loop {
        tokio::time::sleep(pause).await;
        let Some(progress) = progress.upgrade() else {
            return;
        };
        let mut progress = progress.lock();
        if progress.pending.is_none() {
            return;
        }
        pause = PROBE_IDLE_TIME.saturating_sub(progress.idle_time());
        if pause.is_zero() {
            progress.count_idle();
            return progress.record(CallOutcome::Success);
        }
    }
}

// === impl BodyProgress ===

impl BodyProgress {
    fn record(&mut self, outcome: CallOutcome) {
        if let Some(mut pending) = self.pending.take() {
            pending.record(outcome);
        }
    }

    /// How long the reader has read nothing; zero while it waits.
    fn idle_time(&self) -> Duration {
        match self.is_awaited {
            true => Duration::ZERO,
            false => self.idle_since.elapsed(),
        }
    }

    /// The reader has been idle since the last read, unless it waited.
    fn count_idle(&mut self) {
        let idle_time = self.idle_time();
        if let Some(pending) = &mut self.pending {
            pending.idle += idle_time;
        }
    }

    fn polled(&mut self, is_awaited: bool) {
        self.is_awaited = is_awaited;
        self.idle_since = Instant::now();
    }
}

// === impl Classify ===

impl Classify {
    fn record(&mut self, outcome: CallOutcome) {
        self.timer = None;
        self.progress.lock().record(outcome);
    }

    fn polled(&self, is_awaited: bool) {
        self.progress.lock().polled(is_awaited);
    }
}

impl BodyObserver for Classify {
    fn on_poll(&mut self) {
        self.progress.lock().count_idle();
    }

    fn on_frame(&mut self, _: &Frame<Bytes>, rest: &WasiBody) {
        self.polled(false);
        if is_complete(rest) {
            self.record(CallOutcome::Success);
        }
    }

    fn on_pending(&mut self, context: &mut Context<'_>) -> Poll<Error> {
        self.polled(true);
        let is_pending = self.progress.lock().pending.is_some();
        if is_pending {
            let deadline = self.deadline.into();
            let new = || Box::pin(tokio::time::sleep_until(deadline));
            let timer = self.timer.get_or_insert_with(new);
            if timer.as_mut().poll(context).is_ready() {
                self.record(CallOutcome::TimedOut);
            }
        }
        Poll::Pending
    }

    fn on_end(&mut self) -> Result<(), Error> {
        self.polled(false);
        self.record(CallOutcome::Success);
        Ok(())
    }

    fn on_error(&mut self, error: &Error) {
        self.polled(false);
        let is_late = Instant::now() >= self.deadline;
        self.record(match error {
            Error::ConnectionReadTimeout => CallOutcome::TimedOut,
            _ if is_late => CallOutcome::TimedOut,
            _ => CallOutcome::Failure,
        });
    }
}

impl Drop for Classify {
    fn drop(&mut self) {
        let mut progress = self.progress.lock();
        if !progress.is_awaited {
            progress.count_idle();
            progress.record(CallOutcome::Success);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::full;
    use http_body_util::StreamBody;
    use hyper::body::{Body, SizeHint};
    use resilience::breaker::{
        Breaker, BreakerConfig, BreakerOutcome, BreakerSettings, BreakerState, CallTotals,
        OpenDuration, SlowCalls,
    };

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
    async fn a_response_is_a_success_at_its_last_byte() {
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
    async fn a_response_that_breaks_off_is_a_failure() {
        let broken = of(vec![part(), Err(Error::ConnectionTerminated)]);
        let (breaker, body) = answer(broken, LIMIT);
        body.collect().await.unwrap_err();
        assert_eq!(counted(&breaker), [0, 1, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_stalls_is_a_failure_at_its_deadline() {
        let (breaker, mut body) = answer(half(), LIMIT);
        assert!(body.frame().await.is_some());
        assert!(tokio::time::timeout(2 * LIMIT, body.frame()).await.is_err());
        assert_eq!(counted(&breaker), [0, 1, 0]);
        drop(body);
        assert_eq!(counted(&breaker), [0, 1, 0], "once is enough");
    }

    #[tokio::test]
    async fn a_reader_that_leaves_while_it_waits_is_ignored_unless_its_deadline_is_near() {
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
    async fn a_slow_reader_does_not_make_the_call_slow() {
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

    /// Probes of a half-open breaker, as many as it lets through.
    fn probes() -> (Breaker, Vec<PendingOutcome>) {
        let settings = BreakerSettings {
            open_duration: OpenDuration {
                initial: Duration::from_millis(1),
                max: Duration::from_millis(1),
                ..OpenDuration::default()
            },
            ..BreakerSettings::default()
        };
        let probes = settings.probes;
        let breaker = Breaker::new("link", BreakerConfig::new(settings).unwrap(), |_| {});
        while let Ok(permit) = breaker.acquire() {
            permit.record(BreakerOutcome::Failure);
        }
        std::thread::sleep(Duration::from_millis(5));
        let until = Instant::now() + LIMIT;
        let permits = (0..probes).map(|_| breaker.acquire().unwrap());
        let pending = permits.map(|permit| PendingOutcome::new(permit, until, LIMIT));
        let pending = pending.collect();
        (breaker, pending)
    }

    #[tokio::test]
    async fn slow_readers_do_not_keep_a_half_open_breaker_open() {
        let (breaker, probes) = probes();
        let mut bodies = Vec::new();
        for pending in probes {
            let until = Instant::now() + LIMIT;
            let large = of(vec![part(), part()]);
            let mut body = classified(Response::new(large), pending, until).into_body();
            assert!(body.frame().await.is_some());
            bodies.push(body);
        }
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        let closed = async {
            while breaker.state() != BreakerState::Closed {
                tokio::time::sleep(PROBE_IDLE_TIME / 10).await;
            }
        };
        assert!(tokio::time::timeout(LIMIT, closed).await.is_ok());
    }

    #[tokio::test]
    async fn a_probe_that_is_waited_for_has_no_outcome_yet() {
        let (breaker, probes) = probes();
        let until = Instant::now() + LIMIT;
        let reads = probes.into_iter().map(|pending| async move {
            let mut body = classified(Response::new(half()), pending, until).into_body();
            let patience = PROBE_IDLE_TIME + Duration::from_millis(200);
            assert!(body.frame().await.is_some());
            assert!(tokio::time::timeout(patience, body.frame()).await.is_err());
            body
        });
        let _bodies = futures::future::join_all(reads).await;
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }

    #[tokio::test]
    async fn an_error_after_a_slow_reader_used_up_the_time_is_ignored() {
        let limit = Duration::from_millis(500);
        let broken = of(vec![part(), Err(Error::ConnectionTerminated)]);
        let (breaker, mut body) = answer(broken, limit);
        assert!(body.frame().await.unwrap().is_ok());
        std::thread::sleep(limit);
        assert!(body.frame().await.unwrap().is_err());
        assert_eq!(counted(&breaker), [0, 0, 1]);
    }

    #[tokio::test]
    async fn the_last_byte_of_a_known_length_is_the_end_of_the_body() {
        let all = Unclosed(Some(Bytes::from_static(b"all")));
        let (breaker, mut body) = answer(all.boxed_unsync(), LIMIT);
        assert!(body.frame().await.unwrap().is_ok());
        assert_eq!(counted(&breaker), [1, 0, 0]);
    }

    #[tokio::test]
    async fn a_reader_that_reads_only_the_head_makes_a_success() {
        let (breaker, body) = answer(half(), LIMIT);
        drop(body);
        assert_eq!(counted(&breaker), [1, 0, 0]);
    }
}
