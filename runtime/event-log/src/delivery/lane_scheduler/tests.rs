//! The scheduler without a clock and without a log.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::EntryId;

fn delivery(lane: &str, number: u64) -> Delivery {
    Delivery {
        position: Position {
            stream: Arc::from("socar.car"),
            id: EntryId::new(number, 0),
        },
        lane: Arc::from(lane),
        attempts: 0,
        due_in: Duration::ZERO,
        event: Some(Bytes::from(number.to_string())),
    }
}

fn lanes(entries: &[(&str, u64)]) -> LaneScheduler {
    let mut lanes = LaneScheduler::new(100);
    for (lane, number) in entries {
        lanes.add(delivery(lane, *number), Instant::now());
    }
    lanes
}

fn numbers(lanes: &mut LaneScheduler, now: Instant) -> Vec<u64> {
    std::iter::from_fn(|| lanes.next(now))
        .map(|queued| queued.position.id.milliseconds)
        .collect()
}

#[tokio::test]
async fn a_lane_runs_one_entry_at_a_time_and_in_order() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("a", 4)]);
    assert_eq!(numbers(&mut lanes, now), [1, 3]);
    lanes.finish(&"a".into());
    assert_eq!(numbers(&mut lanes, now), [2]);
    lanes.finish(&"b".into());
    lanes.finish(&"a".into());
    assert_eq!(numbers(&mut lanes, now), [4]);
}

#[tokio::test]
async fn a_failing_lane_holds_back_only_itself() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1);
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("b", 4)]);
    assert_eq!(numbers(&mut lanes, now), [1, 3]);
    lanes.retry(&"a".into(), 1, 0, later);
    lanes.finish(&"b".into());
    assert_eq!(lanes.next_due(), Some(later));
    assert_eq!(numbers(&mut lanes, now), [4]);
    lanes.add(delivery("a", 5), now);
    assert_eq!(
        lanes.free_capacity(),
        98,
        "the event that runs, and the one to acknowledge"
    );
    let again = lanes.next(later).unwrap();
    assert_eq!((again.position.id.milliseconds, again.attempts), (1, 1));
    assert_eq!(again.body, EventBody::InLog);
    assert_eq!(lanes.next(later), None);
}

#[tokio::test]
async fn what_is_held_is_not_queued_twice_until_released() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 1)]);
    assert_eq!(numbers(&mut lanes, now), [1]);
    lanes.finish(&"a".into());
    lanes.add(delivery("a", 1), now);
    assert_eq!(lanes.next(now), None);
    lanes.release(&[delivery("a", 1).position]);
    lanes.add(delivery("a", 1), now);
    assert_eq!(numbers(&mut lanes, now), [1]);
}

#[tokio::test]
async fn a_long_lane_leaves_room_for_the_others() {
    let mut lanes = LaneScheduler::new(100);
    for number in 0..1000 {
        lanes.add(delivery("stuck", number), Instant::now());
    }
    assert_eq!(lanes.free_capacity(), 100 - MAX_LOADED_PER_LANE);
    let now = Instant::now();
    for number in 0..1000 {
        let queued = lanes.next(now).unwrap();
        assert_eq!(queued.position.id.milliseconds, number);
        assert_eq!(
            queued.body == EventBody::InLog,
            number >= MAX_LOADED_PER_LANE as u64
        );
        lanes.finish(&"stuck".into());
        lanes.release(&[queued.position]);
    }
    assert_eq!(lanes.free_capacity(), 100);
}

#[tokio::test]
async fn an_eviction_leaves_only_what_runs() {
    let now = Instant::now();
    let mut lanes = lanes(&[("a", 1), ("a", 2), ("b", 3), ("b", 4), ("c", 5)]);
    assert_eq!(lanes.next(now).unwrap().position.id.milliseconds, 1);
    assert_eq!(lanes.next(now).unwrap().position.id.milliseconds, 3);
    lanes.retry(&"b".into(), 1, 0, now + Duration::from_secs(1));
    lanes.drop_queued();
    assert_eq!(lanes.free_capacity(), 99, "the event that runs");
    lanes.finish(&"a".into());
    assert_eq!(lanes.next(now + Duration::from_secs(2)), None);
    lanes.add(delivery("b", 3), now);
    assert_eq!(numbers(&mut lanes, now), [3]);
}
