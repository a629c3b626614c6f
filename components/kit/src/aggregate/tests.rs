use super::*;
use crate::memory::MemoryPlatform;
use events::{CarDeleted, CarId, Event};
use futures::executor::block_on;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
struct Count(u64);

impl Persistent for Count {
    type Record = u64;

    fn to_record(&self) -> u64 {
        self.0
    }

    fn from_record(record: u64) -> Self {
        Self(record)
    }
}

fn counted(before: Option<&Versioned<Count>>) -> Result<Decision<Count, ()>, ()> {
    let count = before.map_or(0, |before| before.state.0) + 1;
    let event = Event::CarDeleted(CarDeleted {
        car_id: CarId(count),
    });
    Ok(Decision::Commit(Count(count), vec![event], ()))
}

fn count(platform: &MemoryPlatform) -> Result<ChangeOutcome<Count, ()>, ChangeError<()>> {
    let counts = Aggregates::new(platform, "stream", "socar/count");
    block_on(counts.change("count/1", &Origin::new("1"), counted))
}

fn intents(platform: &MemoryPlatform) -> usize {
    block_on(platform.outbox.keys()).unwrap().len()
}

fn sweep(platform: &MemoryPlatform) -> outbox::SweepReport {
    block_on(outbox::sweep(platform, "stream")).unwrap()
}

#[test]
fn a_change_is_stored_and_published_and_leaves_no_intent() {
    let platform = MemoryPlatform::new();
    count(&platform).unwrap();
    let changed = count(&platform).unwrap();
    assert_eq!(
        changed.current,
        Some(Versioned {
            version: 2,
            state: Count(2)
        })
    );
    let log = platform.log.borrow();
    let ids: Vec<&str> = log.iter().map(|(_, event)| event.id.as_str()).collect();
    assert_eq!(ids, ["count/1/1", "count/1/2"]);
    assert_eq!(intents(&platform), 0);
}

#[test]
fn a_refusal_changes_and_publishes_nothing() {
    let platform = MemoryPlatform::new();
    let counts = Aggregates::new(&platform, "stream", "socar/count");
    let refused =
        block_on(counts.change::<Count, (), _>("count/1", &Origin::new("1"), |_| Err("no")));
    assert!(matches!(refused, Err(ChangeError::Refused("no"))));
    assert!(
        block_on(counts.load::<Count, ()>("count/1"))
            .unwrap()
            .is_none()
    );
    assert_eq!(intents(&platform), 0);
}

#[test]
fn changes_succeed_on_a_provider_that_reports_every_swap_as_a_conflict() {
    let platform = MemoryPlatform::new();
    platform.state.denies_swaps.set(true);
    for expected in 1..=3 {
        assert_eq!(
            count(&platform).unwrap().current.unwrap().state,
            Count(expected)
        );
    }
    assert_eq!(platform.log.borrow().len(), 3);
}

/// The swap of the first attempt takes effect during the second one. The published event must be the stored
/// one: a sweep that published it again would otherwise publish another event with the same id.
#[test]
fn a_swap_that_takes_effect_late_is_published_as_it_was_stored() {
    let platform = MemoryPlatform::new();
    platform.state.delays_next_swap.set(true);
    let counts = Aggregates::new(&platform, "stream", "socar/count");
    let decide = |before: Option<&Versioned<Count>>| {
        platform.advance(Duration::from_millis(1));
        counted(before)
    };
    block_on(counts.change("count/1", &Origin::new("1"), decide)).unwrap();
    let value = block_on(platform.state.get("count/1")).unwrap().unwrap();
    let stored: StoredAggregate<u64> = serde_json::from_slice(&value).unwrap();
    let log = platform.log.borrow();
    let published: Vec<&CloudEvent> = log.iter().map(|(_, event)| event).collect();
    assert_eq!(published, [&stored.pending[0].event]);
}

#[test]
fn the_sweep_publishes_events_after_a_failure_of_the_log() {
    let platform = MemoryPlatform::new();
    platform.log_is_down.set(true);
    count(&platform).unwrap();
    count(&platform).unwrap();
    assert_eq!(platform.log.borrow().len(), 0);
    platform.log_is_down.set(false);
    assert_eq!(
        sweep(&platform).published,
        0,
        "a running call may still publish them"
    );
    platform.advance(outbox::STALE_AFTER);
    assert_eq!(sweep(&platform).published, 2);
    assert_eq!(sweep(&platform).published, 0);
    assert_eq!(intents(&platform), 0);
}

#[test]
fn state_and_events_agree_after_a_store_failure_at_any_call() {
    for state_calls in 0..4 {
        for outbox_calls in 0..4 {
            let platform = MemoryPlatform::new();
            platform.state.fail_after(state_calls);
            platform.outbox.fail_after(outbox_calls);
            let _ = count(&platform);
            platform.state.recover();
            platform.outbox.recover();
            platform.advance(Duration::from_secs(600));
            sweep(&platform);
            let counts = Aggregates::new(&platform, "stream", "socar/count");
            let stored = block_on(counts.load::<Count, ()>("count/1")).unwrap();
            let at_least_once = !platform.log.borrow().is_empty();
            assert_eq!(
                stored.is_some(),
                at_least_once,
                "{state_calls} {outbox_calls}"
            );
            assert_eq!(intents(&platform), 0, "{state_calls} {outbox_calls}");
        }
    }
}

#[test]
fn a_published_event_is_removed_by_the_next_commit() {
    let platform = MemoryPlatform::new();
    for _ in 0..5 {
        count(&platform).unwrap();
    }
    let value = block_on(platform.state.get("count/1")).unwrap().unwrap();
    let stored: StoredAggregate<u64> = serde_json::from_slice(&value).unwrap();
    assert_eq!(stored.pending.len(), 1);
}
