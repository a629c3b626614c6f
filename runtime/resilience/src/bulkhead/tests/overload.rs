//! When an overload begins and ends, and how calls wait during it.

use super::*;

#[tokio::test(start_paused = true)]
async fn during_an_overload_few_calls_wait_briefly_and_run_first() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let mut waiting = [(); 2].map(|()| enqueue(&bulkhead, LOW));
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    // The overload has begun.
    let began = Instant::now();
    let rejected = acquire(&bulkhead, LOW).await.unwrap_err();
    assert_eq!(rejected.reason, RejectionReason::QueueTimeout);
    assert!(began.elapsed() <= Duration::from_millis(10));

    let mut next = enqueue(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull),
        "one permit, one call that waits for it"
    );
    drop(running);
    let next = poll(&mut next);
    assert!(next.is_ready());
    drop(next);
    // The calls that queued before the overload still wait.
    let first = poll(&mut waiting[0]);
    assert!(first.is_ready() && poll(&mut waiting[1]).is_pending());
}

#[tokio::test(start_paused = true)]
async fn a_call_with_little_time_left_begins_no_overload() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let late = bulkhead.acquire(LOW, within(Duration::from_millis(20)));
    let rejected = late.await.unwrap_err();
    assert_eq!(rejected.reason, RejectionReason::QueueTimeout);

    let mut normal = enqueue(&bulkhead, LOW);
    sleep(WAIT / 2).await;
    assert!(poll(&mut normal).is_pending());
    drop(running);
    assert!(poll(&mut normal).is_ready());
}

#[tokio::test(start_paused = true)]
async fn during_an_overload_of_slow_calls_one_call_waits_for_the_next_permit() {
    let takes = Duration::from_millis(100);
    let bulkhead = bulkhead(1, 1);
    for _ in 0..50 {
        let _running = acquire(&bulkhead, LOW).await.unwrap();
        sleep(takes).await;
    }
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let normal = enqueue(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    drop(normal);
    let mut next = enqueue(&bulkhead, LOW);
    sleep(takes).await;
    assert!(poll(&mut next).is_pending());
    drop(running);
    assert!(poll(&mut next).is_ready());
}

#[tokio::test(start_paused = true)]
async fn idle_time_does_not_lengthen_the_wait_during_an_overload() {
    let bulkhead = bulkhead(1, 1);
    for _ in 0..50 {
        let running = acquire(&bulkhead, LOW).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        drop(running);
        sleep(WAIT).await;
    }
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let _waiting = enqueue(&bulkhead, LOW);
    assert_eq!(
        reason(arrive(&bulkhead, LOW).1),
        Some(RejectionReason::QueueFull)
    );
    let began = Instant::now();
    assert!(acquire(&bulkhead, LOW).await.is_err());
    assert!(began.elapsed() <= Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn an_overload_of_low_priority_does_not_shorten_the_wait_of_a_higher_one() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let _waiting = enqueue(&bulkhead, LOW);
    for _ in 0..50 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
    }
    let mut high = enqueue(&bulkhead, HIGH);
    sleep(WAIT / 2).await;
    assert!(poll(&mut high).is_pending());
    drop(running);
    assert!(poll(&mut high).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_sustained_overload_displaces_the_calls_that_wait_in_the_normal_queue() {
    let bulkhead = bulkhead(1, 2);
    let _running = acquire(&bulkhead, HIGH).await.unwrap();
    let mut waiting = [(); 2].map(|()| enqueue(&bulkhead, LOW));
    for _ in 0..10 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
        assert!(poll(&mut waiting[0]).is_pending(), "a burst is no overload");
    }
    for _ in 0..20 {
        assert!(acquire(&bulkhead, LOW).await.is_err());
    }
    for call in &mut waiting {
        assert_eq!(reason(poll(call)), Some(RejectionReason::Displaced));
    }
}

#[tokio::test(start_paused = true)]
async fn an_overload_ends_when_no_call_was_rejected_for_the_cooldown() {
    let bulkhead = bulkhead(1, 1);
    let _running = acquire(&bulkhead, LOW).await.unwrap();
    let cancelled = enqueue(&bulkhead, LOW);
    assert!(acquire(&bulkhead, LOW).await.is_err());
    drop(cancelled);
    sleep(Duration::from_secs(3)).await;
    let began = Instant::now();
    assert!(acquire(&bulkhead, LOW).await.is_err());
    assert_eq!(began.elapsed(), WAIT, "the overload has not ended");
}
