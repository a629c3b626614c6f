use std::time::Duration;

use futures::FutureExt as _;

use super::*;

fn tracker() -> Arc<ConnectionTracker> {
    Arc::default()
}

fn close_reason(connection: &TrackedConnection) -> Option<CloseReason> {
    connection.state.close_requested().now_or_never()
}

#[test]
fn the_connection_that_is_idle_longest_makes_room() {
    let tracker = tracker();
    let (first, second) = (tracker.open(2).unwrap(), tracker.open(2).unwrap());
    let request = first.state.begin_request();
    let third = tracker.open(2).unwrap();
    assert!(third.admitted);
    assert_eq!(close_reason(&first), None, "it has a request in progress");
    assert_eq!(close_reason(&second), Some(CloseReason::Idle));
    drop(request);
}

#[test]
fn a_connection_with_a_request_is_not_closed_for_a_new_one() {
    let tracker = tracker();
    let first = tracker.open(1).unwrap();
    let _request = first.state.begin_request();
    assert!(!tracker.open(1).unwrap().admitted);
    assert_eq!(close_reason(&first), None);
}

#[test]
fn connections_over_the_limit_are_bounded_too() {
    let tracker = tracker();
    let first = tracker.open(1).unwrap();
    let _request = first.state.begin_request();
    let over_limit: Vec<_> = (0..OVER_LIMIT).map(|_| tracker.open(1).unwrap()).collect();
    assert!(tracker.open(1).is_none());
    drop(over_limit);
    assert_eq!(tracker.count(), 1);
}

#[test]
fn a_head_that_takes_longer_than_head_time_closes_the_connection() {
    let (tracker, limits) = (tracker(), ListenerLimits::default());
    let connection = tracker.open(1).unwrap();
    let now = Instant::now();
    tracker.close_overdue(&limits, now + limits.head_time / 2);
    assert_eq!(close_reason(&connection), None);
    tracker.close_overdue(&limits, now + limits.head_time + Duration::from_millis(1));
    assert_eq!(close_reason(&connection), Some(CloseReason::SlowHead));
}

#[test]
fn a_connection_between_two_requests_has_the_idle_time() {
    let (tracker, limits) = (tracker(), ListenerLimits::default());
    let connection = tracker.open(1).unwrap();
    drop(connection.state.begin_request());
    let now = Instant::now();
    tracker.close_overdue(&limits, now + limits.head_time * 2);
    assert_eq!(close_reason(&connection), None);
    tracker.close_overdue(&limits, now + limits.idle + Duration::from_millis(1));
    assert_eq!(close_reason(&connection), Some(CloseReason::Idle));
}

#[test]
fn a_request_in_progress_keeps_its_connection_open() {
    let (tracker, limits) = (tracker(), ListenerLimits::default());
    let connection = tracker.open(1).unwrap();
    let _request = connection.state.begin_request();
    tracker.close_overdue(&limits, Instant::now() + limits.idle * 10);
    assert_eq!(close_reason(&connection), None);
}
