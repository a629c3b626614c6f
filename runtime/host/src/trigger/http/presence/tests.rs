use std::time::Duration;

use futures::FutureExt as _;

use super::*;

fn crowd() -> Arc<Crowd> {
    Arc::default()
}

fn dismissal(place: &Place) -> Option<Dismissal> {
    place.presence.dismissed().now_or_never()
}

#[test]
fn who_has_been_quiet_for_longest_gives_up_his_place() {
    let crowd = crowd();
    let (first, second) = (crowd.enter(2).unwrap(), crowd.enter(2).unwrap());
    let visit = first.presence.begin();
    let third = crowd.enter(2).unwrap();
    assert!(third.seated);
    assert_eq!(dismissal(&first), None, "it has a request");
    assert_eq!(dismissal(&second), Some(Dismissal::Idle));
    drop(visit);
}

#[test]
fn nobody_with_a_request_is_sent_away_for_a_newcomer() {
    let crowd = crowd();
    let first = crowd.enter(1).unwrap();
    let _visit = first.presence.begin();
    assert!(!crowd.enter(1).unwrap().seated);
    assert_eq!(dismissal(&first), None);
}

#[test]
fn even_those_without_a_place_are_counted() {
    let crowd = crowd();
    let first = crowd.enter(1).unwrap();
    let _visit = first.presence.begin();
    let standing: Vec<_> = (0..STANDING).map(|_| crowd.enter(1).unwrap()).collect();
    assert!(crowd.enter(1).is_none());
    drop(standing);
    assert_eq!(crowd.count(), 1);
}

#[test]
fn a_head_may_take_so_long_and_no_longer() {
    let (crowd, limits) = (crowd(), Listener::default());
    let place = crowd.enter(1).unwrap();
    let now = Instant::now();
    crowd.tidy(&limits, now + limits.head_time / 2);
    assert_eq!(dismissal(&place), None);
    crowd.tidy(&limits, now + limits.head_time + Duration::from_millis(1));
    assert_eq!(dismissal(&place), Some(Dismissal::Slow));
}

#[test]
fn a_connection_between_requests_is_kept_for_longer() {
    let (crowd, limits) = (crowd(), Listener::default());
    let place = crowd.enter(1).unwrap();
    drop(place.presence.begin());
    let now = Instant::now();
    crowd.tidy(&limits, now + limits.head_time * 2);
    assert_eq!(dismissal(&place), None);
    crowd.tidy(&limits, now + limits.idle + Duration::from_millis(1));
    assert_eq!(dismissal(&place), Some(Dismissal::Idle));
}

#[test]
fn a_request_may_take_as_long_as_it_takes() {
    let (crowd, limits) = (crowd(), Listener::default());
    let place = crowd.enter(1).unwrap();
    let _visit = place.presence.begin();
    crowd.tidy(&limits, Instant::now() + limits.idle * 10);
    assert_eq!(dismissal(&place), None);
}
