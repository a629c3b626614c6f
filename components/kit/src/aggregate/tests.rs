use super::*;
use crate::{backlog::Backlog, memory::MemoryPlatform, sweep::SweepFailures};
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

fn sweep_with_failures(platform: &MemoryPlatform) -> (outbox::SweepReport, SweepFailures) {
    let mut failures = SweepFailures::default();
    let backlog = block_on(Backlog::load(platform, &[outbox::INTENT])).unwrap();
    let report = block_on(outbox::sweep(platform, "stream", &backlog, &mut failures));
    (report, failures)
}

fn sweep(platform: &MemoryPlatform) -> outbox::SweepReport {
    let (report, failures) = sweep_with_failures(platform);
    assert_eq!(failures, SweepFailures::default());
    report
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
    let published: Vec<String> = log.iter().map(|(_, event)| event.to_json()).collect();
    assert_eq!(published, [stored.pending[0].event.to_string()]);
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
            // Every sweep adds some seconds to the age of an intent.
            for _ in 0..30 {
                platform.advance(outbox::STALE_AFTER);
                sweep(&platform);
            }
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

#[test]
fn an_aggregate_that_cannot_be_read_does_not_stop_the_sweep() {
    let platform = MemoryPlatform::new();
    platform.log_is_down.set(true);
    let counts = Aggregates::new(&platform, "stream", "socar/count");
    for key in ["count/1", "count/2", "count/3"] {
        block_on(counts.change(key, &Origin::new("1"), counted)).unwrap();
    }
    platform.log_is_down.set(false);
    block_on(platform.state.set("count/2", b"of another program")).unwrap();
    platform.advance(outbox::STALE_AFTER);
    let (report, failures) = sweep_with_failures(&platform);
    assert_eq!(report.published, 2);
    assert_eq!(failures.into_result(()).unwrap_err().status, 500);
}

/// A later release stored the event and was rolled back.
#[test]
fn an_event_of_an_unknown_type_is_kept_with_its_aggregate() {
    let platform = MemoryPlatform::new();
    platform.log_is_down.set(true);
    count(&platform).unwrap();
    let value = block_on(platform.state.get("count/1")).unwrap().unwrap();
    let value = String::from_utf8(value)
        .unwrap()
        .replace("CarDeleted", "CarPainted");
    block_on(platform.state.set("count/1", value.as_bytes())).unwrap();
    count(&platform).unwrap();
    let value = block_on(platform.state.get("count/1")).unwrap().unwrap();
    let value = String::from_utf8(value).unwrap();
    assert!(
        value.contains("CarPainted") && value.contains("CarDeleted"),
        "{value}"
    );
}

/// A clock was an hour ahead when the intent was written, and was corrected.
#[test]
fn an_intent_from_the_future_is_published() {
    let platform = MemoryPlatform::new();
    platform.advance(Duration::from_secs(3600));
    platform.log_is_down.set(true);
    count(&platform).unwrap();
    platform.log_is_down.set(false);
    platform.set_back(Duration::from_secs(3600));
    assert_eq!(sweep(&platform).published, 1);
}

/// The clock of the sweeping host is an hour ahead of the host whose call is about to swap.
#[test]
fn an_intent_is_not_discarded_because_clocks_differ() {
    let platform = MemoryPlatform::new();
    let intent = outbox::intent_key("count/1", "a commit in progress");
    let now = platform.now().as_millis().to_string();
    block_on(platform.outbox.set(&intent, now.as_bytes())).unwrap();
    platform.advance(Duration::from_secs(3600));
    assert_eq!(sweep(&platform).discarded, 0);
}

#[test]
fn a_store_that_answers_no_swap_is_not_reported_as_contention() {
    let platform = MemoryPlatform::new();
    platform.state.rejects_swaps.set(true);
    assert!(matches!(count(&platform), Err(ChangeError::Store(_))));
}

/// Commits of other writers between a swap that the provider reports as a conflict and its reading back.
fn change_with_foreign_commits(
    platform: &MemoryPlatform,
    foreign: u32,
    announces: bool,
) -> Result<ChangeOutcome<Count, ()>, ChangeError<()>> {
    let counts = Aggregates::new(platform, "stream", "socar/count");
    count(platform).unwrap();
    platform.state.denies_swaps.set(true);
    let mut calls = 0;
    let decide = |before: Option<&Versioned<Count>>| {
        calls += 1;
        let count = before.map_or(0, |before| before.state.0) + 1000;
        let event = Event::CarDeleted(CarDeleted { car_id: CarId(1) });
        let events = if announces { vec![event] } else { Vec::new() };
        match calls {
            1 => Ok(Decision::Commit(Count(count), events, ())),
            _ => Ok(Decision::Keep(())),
        }
    };
    platform.state.after_next_swap(move |values| {
        for commit in 0..foreign {
            let value = values.get_mut("count/1").unwrap();
            let stored: StoredAggregate<u64> = serde_json::from_slice(value).unwrap();
            let next = StoredAggregate {
                version: stored.version + 1,
                commit: format!("foreign {commit}"),
                recent: stored.recent_for_next(),
                pending: stored.pending,
                state: stored.state + 1,
            };
            *value = next.encode();
        }
    });
    block_on(counts.change("count/1", &Origin::new("1"), decide))
}

#[test]
fn a_change_is_found_behind_the_commits_of_other_writers() {
    for (foreign, announces) in [(15, false), (16, true), (64, true)] {
        let platform = MemoryPlatform::new();
        let changed = change_with_foreign_commits(&platform, foreign, announces).unwrap();
        assert_eq!(changed.current.unwrap().state, Count(1001), "{foreign}");
        assert_eq!(platform.log.borrow().len(), 1 + usize::from(announces));
    }
}

#[test]
fn a_change_whose_trace_is_overwritten_has_an_unknown_outcome() {
    let platform = MemoryPlatform::new();
    let changed = change_with_foreign_commits(&platform, 17, false);
    assert!(matches!(changed, Err(ChangeError::Store(_))));
}

/// The publication of the first event fails; the second event is published, then the sweep publishes the first.
#[test]
fn the_log_does_not_end_with_an_old_event() {
    for has_silent_commit in [false, true] {
        let platform = MemoryPlatform::new();
        platform.log_is_down.set(true);
        count(&platform).unwrap();
        platform.log_is_down.set(false);
        count(&platform).unwrap();
        if has_silent_commit {
            let counts = Aggregates::new(&platform, "stream", "socar/count");
            let silent = |_: Option<&Versioned<Count>>| {
                Ok::<_, ()>(Decision::Commit(Count(9), Vec::new(), ()))
            };
            block_on(counts.change("count/1", &Origin::new("1"), silent)).unwrap();
        }
        platform.advance(outbox::STALE_AFTER);
        assert_eq!(sweep(&platform).published, 1);
        let log = platform.log.borrow();
        let ids: Vec<&str> = log.iter().map(|(_, event)| event.id.as_str()).collect();
        assert_eq!(ids, ["count/1/2", "count/1/1", "count/1/2"]);
    }
}
