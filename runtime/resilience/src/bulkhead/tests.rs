//! One bulkhead on a paused clock, call by call; and against a model that does everything the slow way.

mod model;

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

/// A call that has taken its first step: it runs, waits or was refused.
fn arrive(
    bulkhead: &Bulkhead,
    priority: Priority,
) -> (Acquiring, Poll<Result<BulkheadPermit, BulkheadRejection>>) {
    let bulkhead = bulkhead.clone();
    let mut call: Acquiring = Box::pin(async move { acquire(&bulkhead, priority).await });
    let first = look(&mut call);
    (call, first)
}

/// A call that must wait.
fn queue_up(bulkhead: &Bulkhead, priority: Priority) -> Acquiring {
    let (call, first) = arrive(bulkhead, priority);
    assert!(first.is_pending(), "it did not wait: {first:?}");
    call
}

fn look(call: &mut Acquiring) -> Poll<Result<BulkheadPermit, BulkheadRejection>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn reason(looked: Poll<Result<BulkheadPermit, BulkheadRejection>>) -> Option<RejectionReason> {
    match looked {
        Poll::Ready(Err(refused)) => Some(refused.reason),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn what_neither_runs_nor_waits_is_refused_at_once() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let mut waiting = queue_up(&bulkhead, LOW);
    let before = Instant::now();
    let refused = acquire(&bulkhead, LOW).await.unwrap_err();
    assert_eq!(Instant::now(), before);
    assert_eq!(
        refused,
        BulkheadRejection {
            reason: RejectionReason::QueueFull,
            running: 1,
            retry_after: WAIT
        }
    );
    assert_eq!(refused.to_string(), "the queue is full (1 calls run)");
    drop(running);
    assert!(look(&mut waiting).is_ready());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_allowed() {
    let bulkhead = bulkhead(1, 1);
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let began = Instant::now();
    let refused = acquire(&bulkhead, HIGH).await.unwrap_err();
    assert_eq!(refused.reason, RejectionReason::QueueTimeout);
    assert!(began.elapsed() >= WAIT && began.elapsed() < WAIT * 2);
    assert_eq!(bulkhead.snapshot().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn places_go_by_priority_and_then_by_arrival() {
    let bulkhead = bulkhead(1, 10);
    let mut running = Some(acquire(&bulkhead, LOW).await.unwrap());
    let arrivals = [LOW, NORMAL, HIGH, LOW, HIGH, NORMAL];
    let mut waiting = arrivals.map(|priority| Some(queue_up(&bulkhead, priority)));
    let mut order = Vec::new();
    while let Some(permit) = running.take() {
        drop(permit);
        for (number, call) in waiting.iter_mut().enumerate() {
            if let Some(Poll::Ready(Ok(permit))) = call.as_mut().map(look) {
                assert!(running.is_none(), "two at once");
                order.push(number);
                running = Some(permit);
                *call = None;
            }
        }
    }
    assert_eq!(order, [2, 4, 1, 5, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_room_for_what_matters_more() {
    let bulkhead = bulkhead(1, 3);
    let _running = acquire(&bulkhead, HIGH).await.unwrap();
    let mut elder = queue_up(&bulkhead, LOW);
    let mut younger = queue_up(&bulkhead, LOW);
    let mut normal = queue_up(&bulkhead, NORMAL);
    let mut high = queue_up(&bulkhead, HIGH);
    assert_eq!(reason(look(&mut younger)), Some(RejectionReason::Displaced));
    assert!(look(&mut elder).is_pending() && look(&mut normal).is_pending());
    assert!(look(&mut high).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_leaves_his_place_in_the_queue() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    drop(queue_up(&bulkhead, LOW));
    let mut next = queue_up(&bulkhead, LOW);
    drop(running);
    assert!(look(&mut next).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_place_given_to_one_who_just_gave_up_goes_to_the_next() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let gives_up = queue_up(&bulkhead, LOW);
    let mut next = queue_up(&bulkhead, LOW);
    drop(running);
    assert!(
        look(&mut next).is_pending(),
        "the place is on its way to the other"
    );
    drop(gives_up);
    assert!(look(&mut next).is_ready());
    drop(next);
    assert_eq!(bulkhead.snapshot().running, 0, "the place came back");
}

#[tokio::test(start_paused = true)]
async fn a_place_offered_to_one_who_is_just_leaving_goes_to_the_next() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    // On another thread he would now be between giving up and being struck off the list.
    let BulkheadAdmission::Queued { place, .. } = bulkhead.0.wait_queue.lock().enter(LOW) else {
        panic!("he did not wait");
    };
    drop(place);
    let mut next = queue_up(&bulkhead, LOW);
    drop(running);
    assert!(look(&mut next).is_ready());
}

#[tokio::test(start_paused = true)]
async fn more_places_let_in_who_waits_and_fewer_disturb_nobody() {
    let bulkhead = bulkhead(1, 4);
    let first = acquire(&bulkhead, LOW).await.unwrap();
    let mut waiting = [(); 3].map(|()| queue_up(&bulkhead, LOW));
    bulkhead.resize(3);
    let [second, third, fourth] = waiting.each_mut().map(look);
    assert!(second.is_ready() && third.is_ready() && fourth.is_pending());

    bulkhead.resize(1);
    assert_eq!(bulkhead.snapshot().running, 3);
    drop((first, second));
    assert!(look(&mut waiting[2]).is_pending(), "one still runs");
    drop(third);
    assert!(look(&mut waiting[2]).is_ready());
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
fn a_bulkhead_that_lets_nobody_in_is_refused() {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn places_survive_a_crowd_that_pushes_and_gives_up() {
    let bulkhead = bulkhead(3, 20);
    let calls = (0..2000_u64).map(|number| {
        let bulkhead = bulkhead.clone();
        tokio::spawn(async move {
            let priority = LEVELS[number as usize % 3];
            let timeout = Duration::from_micros(number * 37 % 500);
            let Ok(Ok(permit)) = tokio::time::timeout(timeout, acquire(&bulkhead, priority)).await
            else {
                return;
            };
            assert!(bulkhead.snapshot().running <= 3);
            tokio::task::yield_now().await;
            drop(permit);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
    let BulkheadSnapshot {
        running, waiting, ..
    } = bulkhead.snapshot();
    assert_eq!((running, waiting), (0, 0), "a place was lost");
}

#[tokio::test(start_paused = true)]
async fn in_an_overload_few_newcomers_wait_briefly_and_go_first() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let mut crowd = [(); 2].map(|()| queue_up(&bulkhead, LOW));
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    // From here on nobody is kept waiting who could be told at once.
    let began = Instant::now();
    let refused = acquire(&bulkhead, LOW).await.unwrap_err();
    assert_eq!(refused.reason, RejectionReason::QueueTimeout);
    assert!(began.elapsed() <= Duration::from_millis(10));

    let mut next = queue_up(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull),
        "one place, one who waits for it"
    );
    drop(running);
    let next = look(&mut next);
    assert!(next.is_ready());
    drop(next);
    // Who came before the overload has kept his place.
    let first = look(&mut crowd[0]);
    assert!(first.is_ready() && look(&mut crowd[1]).is_pending());
}

#[tokio::test(start_paused = true)]
async fn who_has_no_time_to_wait_begins_no_overload() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let hurried = bulkhead.acquire(LOW, within(Duration::from_millis(20)));
    let refused = hurried.await.unwrap_err();
    assert_eq!(refused.reason, RejectionReason::QueueTimeout);

    let mut normal = queue_up(&bulkhead, LOW);
    sleep(WAIT / 2).await;
    assert!(look(&mut normal).is_pending());
    drop(running);
    assert!(look(&mut normal).is_ready());
}

#[tokio::test(start_paused = true)]
async fn in_an_overload_of_slow_calls_somebody_waits_for_the_next_place() {
    let takes = Duration::from_millis(100);
    let bulkhead = bulkhead(1, 1);
    for _ in 0..50 {
        let _running = acquire(&bulkhead, LOW).await.unwrap();
        sleep(takes).await;
    }
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let normal = queue_up(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    drop(normal);
    let mut next = queue_up(&bulkhead, LOW);
    sleep(takes).await;
    assert!(look(&mut next).is_pending());
    drop(running);
    assert!(look(&mut next).is_ready());
}

#[tokio::test(start_paused = true)]
async fn time_without_calls_makes_nobody_wait_in_an_overload() {
    let bulkhead = bulkhead(1, 1);
    for _ in 0..50 {
        let running = acquire(&bulkhead, LOW).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        drop(running);
        sleep(WAIT).await;
    }
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let _patient = queue_up(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    let began = Instant::now();
    assert!(acquire(&bulkhead, LOW).await.is_err());
    assert!(began.elapsed() <= Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn who_would_be_refused_can_be_told_before_he_comes() {
    let bulkhead = bulkhead(1, 1);
    assert_eq!(bulkhead.try_reject(LOW), None);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    assert_eq!(bulkhead.try_reject(LOW), None, "he could wait");
    let mut waiting = queue_up(&bulkhead, LOW);
    let refused = bulkhead.try_reject(LOW).unwrap();
    assert_eq!(refused.reason, RejectionReason::QueueFull);
    assert_eq!(bulkhead.try_reject(HIGH), None, "he may take the other's");
    assert!(look(&mut waiting).is_pending());
    drop(running);
    assert!(look(&mut waiting).is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_overload_of_browsers_makes_no_payer_impatient() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let _patient = queue_up(&bulkhead, LOW);
    for _ in 0..50 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
    }
    let mut high = queue_up(&bulkhead, HIGH);
    sleep(WAIT / 2).await;
    assert!(look(&mut high).is_pending());
    drop(running);
    assert!(look(&mut high).is_ready());
}

#[tokio::test(start_paused = true)]
async fn who_came_before_a_lasting_overload_is_sent_away() {
    let bulkhead = bulkhead(1, 2);
    let _running = acquire(&bulkhead, HIGH).await.unwrap();
    let mut crowd = [(); 2].map(|()| queue_up(&bulkhead, LOW));
    for _ in 0..10 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
        assert!(look(&mut crowd[0]).is_pending(), "it may be a crowd");
    }
    for _ in 0..20 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
    }
    for waiting in &mut crowd {
        assert_eq!(reason(look(waiting)), Some(RejectionReason::Displaced));
    }
}

#[tokio::test(start_paused = true)]
async fn an_overload_is_over_when_nobody_was_refused_for_a_while() {
    let bulkhead = bulkhead(1, 1);
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let gives_up = queue_up(&bulkhead, LOW);
    assert!(acquire(&bulkhead, LOW).await.is_err());
    drop(gives_up);
    sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    assert!(acquire(&bulkhead, LOW).await.is_err());
    assert_eq!(began.elapsed(), WAIT, "it is not calm again");
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
    let mut normal = queue_up(&bulkhead, NORMAL);
    let mut high = queue_up(&bulkhead, HIGH);
    drop(running);
    let first = look(&mut normal);
    assert!(first.is_ready() && look(&mut high).is_pending());
}
