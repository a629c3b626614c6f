//! The retry loop of a link, against a target that answers with a prepared list of results.

use std::collections::VecDeque;

use ::http::{Method, Request, Response, StatusCode};
use config::policy::{LinkPolicy, RetryPolicy};
use parking_lot::Mutex;
use wasmtime_wasi_http::WasiBody;

use super::request::Attempt;
use super::*;
use crate::body::full;
use crate::trace::Trace;

const TIMEOUT: Duration = Duration::from_secs(60);

type AttemptResult = Result<Response<WasiBody>, Problem>;

/// Answers each attempt with the next result, and then with 200.
#[derive(Default)]
struct PreparedTarget {
    results: Mutex<VecDeque<AttemptResult>>,
    attempts: Mutex<usize>,
}

impl LinkTarget for PreparedTarget {
    type Error = Problem;

    fn deadline(&self) -> Option<Duration> {
        None
    }

    fn body_deadline(head: Instant, _: Instant) -> Instant {
        head
    }

    fn hold(body: WasiBody, _: BulkheadPermit, _: Instant) -> WasiBody {
        body
    }
}

impl Attempt<Request<WasiBody>> for PreparedTarget {
    async fn attempt(&self, _: Request<WasiBody>, _: &Call, _: &RequestOptions) -> AttemptResult {
        *self.attempts.lock() += 1;
        let prepared = self.results.lock().pop_front();
        prepared.unwrap_or_else(|| answered(StatusCode::OK))
    }
}

fn answered(status: StatusCode) -> AttemptResult {
    let mut response = Response::new(full(""));
    *response.status_mut() = status;
    Ok(response)
}

fn trapped() -> AttemptResult {
    let component = "car".to_owned();
    Err(Problem::ComponentTrapped { component })
}

/// A link with the shipped retry policy, and without the breaker, which would end the attempts.
fn link(results: impl IntoIterator<Item = AttemptResult>) -> Link<PreparedTarget> {
    let policy = LinkPolicy {
        breaker: None,
        retry: Some(RetryPolicy::default()),
        ..LinkPolicy::default()
    };
    let (sender, _publisher) = TransitionSender::new();
    let guards = LinkGuards::new(
        "gateway -> car".into(),
        policy,
        LinkFallback::Problem,
        &sender,
    );
    let target = PreparedTarget {
        results: Mutex::new(results.into_iter().collect()),
        ..PreparedTarget::default()
    };
    Link::new(Arc::new(guards), LinkAdmission::Unlimited, target)
}

async fn send(link: &Link<PreparedTarget>, method: Method, timeout: Duration) -> AttemptResult {
    let mut request = Request::new(WasiBody::default());
    *request.method_mut() = method;
    let call = Call::incoming(Trace::fresh(), timeout);
    link.call(request, call).await
}

fn attempts(link: &Link<PreparedTarget>) -> usize {
    *link.target.attempts.lock()
}

#[tokio::test(start_paused = true)]
async fn an_idempotent_request_gets_one_more_attempt_after_a_trap() {
    let link = link([trapped()]);
    let response = send(&link, Method::GET, TIMEOUT).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(attempts(&link), 2);
}

#[tokio::test(start_paused = true)]
async fn the_attempts_are_bounded() {
    let link = link([trapped(), trapped(), trapped()]);
    assert!(send(&link, Method::GET, TIMEOUT).await.is_err());
    assert_eq!(attempts(&link), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_idempotent_gets_one_attempt() {
    let link = link([trapped()]);
    assert!(send(&link, Method::POST, TIMEOUT).await.is_err());
    assert_eq!(attempts(&link), 1);
}

#[tokio::test(start_paused = true)]
async fn a_response_of_the_target_is_final() {
    for (status, expected) in [(500, 1), (503, 1), (404, 1), (502, 2)] {
        let link = link([answered(StatusCode::from_u16(status).unwrap())]);
        send(&link, Method::GET, TIMEOUT).await.unwrap();
        assert_eq!(attempts(&link), expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_for_the_delay_is_not_repeated() {
    let link = link([trapped()]);
    assert!(send(&link, Method::GET, Duration::ZERO).await.is_err());
    assert_eq!(attempts(&link), 1);
}

#[tokio::test(start_paused = true)]
async fn the_budget_bounds_the_retries_of_all_calls() {
    const CALLS: usize = 1_000;
    let link = link((0..2 * CALLS).map(|_| trapped()));
    for _ in 0..CALLS {
        let _ = send(&link, Method::GET, TIMEOUT).await;
    }
    let retries = attempts(&link) - CALLS;
    // 20 % of the calls, and the reserve of the first seconds.
    assert!(
        (CALLS / 10..CALLS / 2).contains(&retries),
        "{retries} retries"
    );
}
