use std::time::Duration;

use futures::FutureExt as _;

use super::*;

fn tracker() -> Arc<ConnectionTracker> {
    let capacity = ConnectionCapacity {
        admitted: 1000,
        refused: 64,
    };
    ConnectionTracker::new(capacity)
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
    assert_eq!(close_reason(&second), Some(CloseReason::Displaced));
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
    let over_limit: Vec<_> = (0..64).map(|_| tracker.open(1).unwrap()).collect();
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
    assert_eq!(close_reason(&connection), Some(CloseReason::SlowRequest));
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

#[test]
fn the_slowest_body_makes_room_when_no_connection_is_idle() {
    let tracker = tracker();
    let connections: Vec<_> = (0..3).map(|_| tracker.open(3).unwrap()).collect();
    let requests: Vec<_> = connections
        .iter()
        .map(|connection| connection.state.begin_request())
        .collect();
    // The first has a complete request; the second sends more than the third.
    let bodies = [
        connections[1].state.begin_body(),
        connections[2].state.begin_body(),
    ];
    connections[1].state.received(&[0; 1000]);
    connections[2].state.received(&[0; 10]);
    let began = |at: Instant| {
        for connection in &connections[1..] {
            connection.state.activity.lock().body_since = at;
        }
    };
    // However long this test takes, such a body has no age yet.
    began(Instant::now() + Duration::from_secs(3600));
    assert!(!tracker.open(3).unwrap().admitted, "no body is slow yet");
    began(Instant::now() - BODY_GRACE);
    assert!(tracker.open(3).unwrap().admitted);
    let reasons: Vec<_> = connections.iter().map(close_reason).collect();
    assert_eq!(reasons, [None, None, Some(CloseReason::SlowRequest)]);
    drop((requests, bodies));
}

/// Makes a state of a connection as old as it has to be.
fn age(connection: &TrackedConnection, age: Duration) {
    let mut activity = connection.state.activity.lock();
    activity.idle_since -= age;
    activity.read_at -= age;
}

#[test]
fn the_client_that_does_not_read_makes_room_first() {
    let tracker = tracker();
    let idle = tracker.open(3).unwrap();
    let stalled = tracker.open(3).unwrap();
    let unread = tracker.open(3).unwrap();
    stalled.state.write_stalled();
    let request = unread.state.begin_request();
    let answer = unread.state.begin_unread();
    age(&idle, READ_GRACE * 9);
    age(&unread, READ_GRACE * 2);
    assert!(tracker.open(3).unwrap().admitted);
    let reasons = || [&idle, &stalled, &unread].map(close_reason);
    assert_eq!(reasons(), [None, None, Some(CloseReason::Displaced)]);
    age(&stalled, READ_GRACE);
    assert!(tracker.open(3).unwrap().admitted);
    assert_eq!(close_reason(&stalled), Some(CloseReason::Displaced));
    assert_eq!(close_reason(&idle), None);
    drop((request, answer));
}

#[test]
fn a_client_that_reads_or_waits_is_not_closed_for_a_new_one() {
    let tracker = tracker();
    let connection = tracker.open(1).unwrap();
    let request = connection.state.begin_request();
    let answer = connection.state.begin_unread();
    age(&connection, READ_GRACE * 2);
    answer.next_part();
    assert!(!tracker.open(1).unwrap().admitted, "it reads");
    age(&connection, READ_GRACE * 2);
    let waits = connection.state.begin_request();
    assert!(!tracker.open(1).unwrap().admitted, "it waits for an answer");
    drop((waits, answer));
    age(&connection, READ_GRACE * 2);
    assert!(!tracker.open(1).unwrap().admitted, "it has read everything");
    drop(request);
}

#[test]
fn the_capacity_of_the_process_bounds_the_limit() {
    let capacity = ConnectionCapacity {
        admitted: 1,
        refused: 1,
    };
    let tracker = ConnectionTracker::new(capacity);
    let first = tracker.open(1000).unwrap();
    let _request = first.state.begin_request();
    let second = tracker.open(1000).unwrap();
    let _request = second.state.begin_request();
    assert!(!second.admitted);
    assert!(tracker.open(1000).is_none());
}
