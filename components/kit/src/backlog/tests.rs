use super::*;
use crate::memory::MemoryPlatform;
use futures::executor::block_on;

const INTERVAL: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

fn set(platform: &MemoryPlatform, key: &str, value: &str) {
    block_on(platform.outbox.set(key, value.as_bytes())).unwrap();
}

/// The age in seconds of the entry `work/1`.
fn age(platform: &MemoryPlatform) -> u64 {
    let backlog = block_on(Backlog::load(platform, &["work/"])).unwrap();
    let (_, entry) = backlog.with_prefix("work/").next().unwrap();
    entry.age.as_secs()
}

#[test]
fn an_entry_ages_from_sweep_to_sweep() {
    let platform = MemoryPlatform::new();
    set(&platform, "work/1", "a time in any year");
    let ages = [0; 4].map(|_| {
        let age = age(&platform);
        platform.advance(INTERVAL);
        age
    });
    assert_eq!(ages, [0, 5, 10, 15]);
}

#[test]
fn an_entry_with_another_value_is_new() {
    let platform = MemoryPlatform::new();
    set(&platform, "work/1", "a");
    age(&platform);
    platform.advance(INTERVAL);
    assert_eq!(age(&platform), 5);
    set(&platform, "work/1", "b");
    assert_eq!(age(&platform), 0);
}

#[test]
fn a_clock_that_is_set_back_or_forward_adds_at_most_one_interval() {
    for set_back in [true, false] {
        let platform = MemoryPlatform::new();
        set(&platform, "work/1", "a");
        age(&platform);
        match set_back {
            true => platform.set_back(HOUR),
            false => platform.advance(HOUR),
        }
        assert!(age(&platform) <= 6, "{set_back}");
        platform.advance(INTERVAL * 2);
        age(&platform);
        platform.advance(INTERVAL);
        assert!(age(&platform) >= 10, "{set_back}");
    }
}

/// Two hosts whose clocks differ by an hour sweep in turns, each every five seconds.
#[test]
fn two_clocks_do_not_make_an_entry_older() {
    let platform = MemoryPlatform::new();
    set(&platform, "work/1", "a");
    let mut last = 0;
    for _ in 0..10 {
        age(&platform);
        platform.advance(HOUR);
        last = age(&platform);
        platform.set_back(HOUR);
        platform.advance(INTERVAL);
    }
    assert!((45..=51).contains(&last), "{last}");
}

/// Three hosts with clocks that differ sweep in turns, each every five seconds.
#[test]
fn no_number_of_clocks_makes_an_entry_older() {
    for offsets in [[0, 60, 660], [0, 10, 20], [20, 10, 0], [3, 0, 6]] {
        let platform = MemoryPlatform::new();
        set(&platform, "work/1", "a");
        let mut ages = Vec::new();
        for round in 0..4 {
            for (host, offset) in ["a", "b", "c"].into_iter().zip(offsets) {
                let offset = Duration::from_secs(offset);
                platform.host.replace(host.to_owned());
                platform.advance(offset);
                ages.push((round, age(&platform)));
                platform.set_back(offset);
            }
            platform.advance(INTERVAL);
        }
        assert!(
            ages.iter().all(|(round, age)| *age == round * 5),
            "{ages:?}"
        );
    }
}

#[test]
fn the_sightings_of_an_empty_store_are_deleted() {
    let platform = MemoryPlatform::new();
    set(&platform, "work/1", "a");
    age(&platform);
    block_on(platform.outbox.delete("work/1")).unwrap();
    block_on(Backlog::load(&platform, &["work/"])).unwrap();
    assert!(block_on(platform.outbox.keys()).unwrap().is_empty());
}

#[test]
fn every_entry_of_a_large_store_has_its_turn() {
    let platform = MemoryPlatform::new();
    for number in 0..2500 {
        set(&platform, &format!("work/{number}"), "a");
    }
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let backlog = block_on(Backlog::load(&platform, &["work/"])).unwrap();
        let keys: Vec<String> = backlog
            .with_prefix("")
            .map(|one| one.0.to_owned())
            .collect();
        assert_eq!(keys.len(), MAX_ENTRIES);
        seen.extend(keys);
    }
    assert_eq!(seen.len(), 2500);
}

#[test]
fn unreadable_sightings_begin_anew() {
    let platform = MemoryPlatform::new();
    set(&platform, "work/1", "a");
    set(&platform, sightings::KEY, "not JSON");
    assert_eq!(age(&platform), 0);
}
