//! Calls that are cancelled while they wait: no permit is lost.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_leaves_the_queue() {
    let bulkhead = bulkhead(1, 1);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    drop(enqueue(&bulkhead, LOW));
    let mut next = enqueue(&bulkhead, LOW);
    drop(running);
    assert!(poll(&mut next).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_permit_sent_to_a_cancelled_call_goes_to_the_next() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    let cancelled = enqueue(&bulkhead, LOW);
    let mut next = enqueue(&bulkhead, LOW);
    drop(running);
    assert!(
        poll(&mut next).is_pending(),
        "the permit is in the channel of the other call"
    );
    drop(cancelled);
    assert!(poll(&mut next).is_ready());
    drop(next);
    assert_eq!(
        bulkhead.snapshot().running,
        0,
        "the permit was not returned"
    );
}

#[tokio::test(start_paused = true)]
async fn a_permit_offered_to_a_call_that_is_leaving_goes_to_the_next() {
    let bulkhead = bulkhead(1, 2);
    let running = acquire(&bulkhead, LOW).await.unwrap();
    // On another thread, this call is between dropping its channel and leaving the queue.
    let Admission::Queued { permit, .. } = bulkhead.0.wait_queue.lock().admit(LOW) else {
        panic!("the call does not wait");
    };
    drop(permit);
    let mut next = enqueue(&bulkhead, LOW);
    drop(running);
    assert!(poll(&mut next).is_ready());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_permit_is_lost_when_concurrent_calls_are_cancelled() {
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
    assert_eq!((running, waiting), (0, 0), "a permit was lost");
}
