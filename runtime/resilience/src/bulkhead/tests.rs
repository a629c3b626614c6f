//! One bulkhead on a paused clock, call by call, and compared with a slow model.

mod cancellation;
mod model;
mod overload;

use super::*;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::time::{Instant, sleep};

const LOW: Priority = Priority::LOWEST;
const NORMAL: Priority = Priority::from_level(1).unwrap();
const HIGH: Priority = Priority::from_level(2).unwrap();
const LEVELS: [Priority; 3] = [LOW, NORMAL, HIGH];

const WAIT: Duration = Duration::from_secs(1);

type Acquiring = Pin<Box<dyn Future<Output = Result<BulkheadPermit, BulkheadRejection>> + Send>>;

fn bulkhead(concurrency: usize, queue_capacity: usize) -> Bulkhead {
    Bulkhead::new(BulkheadSettings {
        concurrency,
        queue_capacity,
        queue_timeout: WAIT,
        priority_levels: LEVELS.len(),
    })
    .unwrap()
}

/// Acquires a permit without a deadline of its own.
async fn acquire(
    bulkhead: &Bulkhead,
    priority: Priority,
) -> Result<BulkheadPermit, BulkheadRejection> {
    bulkhead.acquire(priority, within(WAIT * 60)).await
}

fn within(time: Duration) -> Deadline {
    Deadline::at(Instant::now() + time)
}

/// A call that was polled once: it runs, waits or was rejected.
fn arrive(
    bulkhead: &Bulkhead,
    priority: Priority,
) -> (Acquiring, Poll<Result<BulkheadPermit, BulkheadRejection>>) {
    let bulkhead = bulkhead.clone();
    let mut call: Acquiring = Box::pin(async move { acquire(&bulkhead, priority).await });
    let first = poll(&mut call);
    (call, first)
}

/// A call that waits.
fn enqueue(bulkhead: &Bulkhead, priority: Priority) -> Acquiring {
    let (call, first) = arrive(bulkhead, priority);
    assert!(first.is_pending(), "the call does not wait: {first:?}");
    call
}

fn poll(call: &mut Acquiring) -> Poll<Result<BulkheadPermit, BulkheadRejection>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn reason(polled: Poll<Result<BulkheadPermit, BulkheadRejection>>) -> Option<RejectionReason> {
    match polled {
        Poll::Ready(Err(rejected)) => Some(rejected.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_neither_run_nor_wait_is_rejected_immediately() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let mut waiting = enqueue(&bulkhead, LOW);
    let before = Instant::now();
    let rejected = acquire(&bulkhead, LOW).await.unwrap_err();
    assert_eq!(Instant::now(), before);
    assert_eq!(
        rejected,
        BulkheadRejection {
            reason: RejectionReason::QueueFull,
            running: 1,
            retry_after: WAIT
        }
    );
    assert_eq!(rejected.to_string(), "the queue is full; running calls: 1");
    drop(running);
    assert!(poll(&mut waiting).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_call_never_waits_longer_than_the_queue_timeout() {
    let bulkhead = bulkhead(1, 1);
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let began = Instant::now();
    let rejected = acquire(&bulkhead, HIGH).await.unwrap_err();
    assert_eq!(rejected.reason, RejectionReason::QueueTimeout);
    assert!(began.elapsed() >= WAIT && began.elapsed() < WAIT * 2);
    assert_eq!(bulkhead.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn permits_are_granted_by_priority_and_then_by_arrival() {
    let bulkhead = bulkhead(1, 10);
    let mut running = Some(acquire(&bulkhead, LOW).await.unwrap());
    let arrivals = [LOW, NORMAL, HIGH, LOW, HIGH, NORMAL];
    let mut waiting = arrivals.map(|priority| Some(enqueue(&bulkhead, priority)));
    let mut order = Vec::new();
    while let Some(permit) = running.take() {
        drop(permit);
        for (number, call) in waiting.iter_mut().enumerate() {
            if let Some(Poll::Ready(Ok(permit))) = call.as_mut().map(poll) {
                assert!(running.is_none(), "two calls run at the same time");
                order.push(number);
                running = Some(permit);
                *call = None;
            }
        }
    }
    assert_eq!(order, [2, 4, 1, 5, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_call_displaces_a_lower_one_from_a_full_queue() {
    let bulkhead = bulkhead(1, 3);
    let _running = acquire(&bulkhead, HIGH).await.unwrap();
    let mut older = enqueue(&bulkhead, LOW);
    let mut younger = enqueue(&bulkhead, LOW);
    let mut normal = enqueue(&bulkhead, NORMAL);
    let mut high = enqueue(&bulkhead, HIGH);
    assert_eq!(reason(poll(&mut younger)), Some(RejectionReason::Displaced));
    assert!(poll(&mut older).is_pending() && poll(&mut normal).is_pending());
    assert!(poll(&mut high).is_pending());
}

#[tokio::test(start_paused = true)]
async fn more_permits_admit_waiting_calls_and_fewer_interrupt_no_running_call() {
    let bulkhead = bulkhead(1, 4);
    let first = acquire(&bulkhead, LOW).await.unwrap();
    let mut waiting = [(); 3].map(|()| enqueue(&bulkhead, LOW));
    bulkhead.resize(3);
    let [second, third, fourth] = waiting.each_mut().map(poll);
    assert!(second.is_ready() && third.is_ready() && fourth.is_pending());

    bulkhead.resize(1);
    assert_eq!(bulkhead.snapshot().running, 3);
    drop((first, second));
    assert!(poll(&mut waiting[2]).is_pending(), "one call still runs");
    drop(third);
    assert!(poll(&mut waiting[2]).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_runs_at_most_as_many_calls_at_once_as_configured() {
    let takes = Duration::from_millis(100);
    let bulkhead = bulkhead(2, 3);
    let began = Instant::now();
    let calls = [LOW, LOW, LOW, HIGH, NORMAL, LOW].map(|priority| {
        let bulkhead = bulkhead.clone();
        tokio::spawn(async move {
            let _permit = acquire(&bulkhead, priority).await.ok()?;
            sleep(takes).await;
            Some(began.elapsed().as_millis() / takes.as_millis())
        })
    });
    let mut rounds = Vec::new();
    for call in calls {
        rounds.push(call.await.unwrap());
    }
    assert_eq!(rounds, [Some(1), Some(1), Some(3), Some(2), Some(2), None]);
}

#[test]
fn settings_out_of_bounds_are_rejected() {
    let good = BulkheadSettings::default();
    assert!(Bulkhead::new(good).is_ok());
    for (name, bad) in [
        (
            "concurrency",
            BulkheadSettings {
                concurrency: 0,
                ..good
            },
        ),
        (
            "queue_capacity",
            BulkheadSettings {
                queue_capacity: usize::MAX,
                ..good
            },
        ),
        (
            "priority_levels",
            BulkheadSettings {
                priority_levels: Priority::MAX_LEVELS + 1,
                ..good
            },
        ),
        (
            "queue_timeout",
            BulkheadSettings {
                queue_timeout: Duration::ZERO,
                ..good
            },
        ),
    ] {
        assert_eq!(Bulkhead::new(bad).unwrap_err().setting, name);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_can_be_rejected_before_it_is_prepared() {
    let bulkhead = bulkhead(1, 1);
    assert_eq!(bulkhead.try_reject(LOW), None);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    assert_eq!(bulkhead.try_reject(LOW), None, "the queue has room");
    let mut waiting = enqueue(&bulkhead, LOW);
    let rejected = bulkhead.try_reject(LOW).unwrap();
    assert_eq!(rejected.reason, RejectionReason::QueueFull);
    assert_eq!(
        bulkhead.try_reject(HIGH),
        None,
        "a higher priority displaces the waiting call"
    );
    assert!(poll(&mut waiting).is_pending());
    drop(running);
    assert!(poll(&mut waiting).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_priority_above_the_configured_levels_counts_as_the_highest() {
    let bulkhead = Bulkhead::new(BulkheadSettings {
        concurrency: 1,
        queue_capacity: 2,
        queue_timeout: WAIT,
        priority_levels: 2,
    })
    .unwrap();
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let mut normal = enqueue(&bulkhead, NORMAL);
    let mut high = enqueue(&bulkhead, HIGH);
    drop(running);
    let first = poll(&mut normal);
    assert!(first.is_ready() && poll(&mut high).is_pending());
}
