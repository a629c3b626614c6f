//! What the passes of this process over the log have seen, by a clock that is never set.
//!
//! The ids of entries and the heartbeats of consumers are times of day. A clock that was ahead leaves entries whose ids lie in the
//! future, and a clock that jumps forward makes all hosts look silent at once. What earlier passes have seen tells both
//! from what they look like. A new process begins without sightings.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::EntryId;

/// The number of sightings of a stream within the age of its entries.
const SIGHTINGS_PER_AGE: u32 = 10;

/// What the passes have seen so far.
#[derive(Debug, Default)]
pub struct Sightings {
    /// The newest entries of each stream, oldest sighting first.
    newest: BTreeMap<String, VecDeque<(Instant, EntryId)>>,
    /// The groups that every pass since has seen unused on a stream.
    unused: BTreeMap<(String, Arc<str>), Instant>,
}

impl Sightings {
    /// Notes the newest entry of a stream, and returns the id up to which its entries were seen at least `min_age` ago.
    pub(super) fn note_newest(
        &mut self,
        stream: &str,
        newest: Option<EntryId>,
        min_age: Duration,
        now: Instant,
    ) -> Option<EntryId> {
        let seen = self.newest.entry(stream.to_owned()).or_default();
        // The ids of a stream grow, so this is another log: a new one, or one that was restored.
        if seen.back().is_some_and(|(_, id)| newest < Some(*id)) {
            seen.clear();
        }
        let age = |(at, _): &(Instant, EntryId)| now.duration_since(*at);
        let is_due = |it: &(Instant, EntryId)| age(it) >= min_age / SIGHTINGS_PER_AGE;
        if let Some(newest) = newest
            && seen.back().is_none_or(is_due)
        {
            seen.push_back((now, newest));
        }
        while seen.get(1).is_some_and(|second| age(second) >= min_age) {
            seen.pop_front();
        }
        let oldest = seen.front().filter(|oldest| age(oldest) >= min_age);
        oldest.map(|(_, id)| *id)
    }

    /// Notes which groups are unused on which streams. Returns those that every pass has seen so for at least `time`.
    pub(super) fn note_unused(
        &mut self,
        unused: BTreeSet<(String, Arc<str>)>,
        time: Duration,
        now: Instant,
    ) -> BTreeMap<String, Vec<Arc<str>>> {
        self.unused.retain(|group, _| unused.contains(group));
        let mut confirmed: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        for (group, stream) in unused {
            let key = (group.clone(), stream.clone());
            let since = *self.unused.entry(key).or_insert(now);
            if now.duration_since(since) >= time {
                confirmed.entry(group).or_default().push(stream);
            }
        }
        confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "socar.car";
    const AGE: Duration = Duration::from_secs(10);

    fn id(milliseconds: u64) -> EntryId {
        EntryId::new(milliseconds, 0)
    }

    #[test]
    fn an_entry_is_old_when_it_was_seen_long_enough_ago() {
        let mut sightings = Sightings::default();
        let began = Instant::now();
        let mut longest = 0;
        // One entry each second.
        for second in 0..100 {
            let now = began + Duration::from_secs(second);
            let old = sightings.note_newest(STREAM, Some(id(second)), AGE, now);
            assert_eq!(old, second.checked_sub(10).map(id));
            longest = longest.max(sightings.newest[STREAM].len());
        }
        assert_eq!(longest, 11);
        assert_eq!(sightings.note_newest("other", None, AGE, began), None);
    }

    #[test]
    fn frequent_passes_keep_few_sightings() {
        let mut sightings = Sightings::default();
        let began = Instant::now();
        for pass in 0..1000 {
            let now = began + Duration::from_millis(pass * 10);
            sightings.note_newest(STREAM, Some(id(pass)), AGE, now);
        }
        assert_eq!(sightings.newest[STREAM].len(), 10);
    }

    /// The entries of a new log would be removed young until its ids have reached those of the former one.
    #[test]
    fn the_sightings_of_another_log_do_not_count() {
        let began = Instant::now();
        for newest in [None, Some(id(5))] {
            let mut sightings = Sightings::default();
            sightings.note_newest(STREAM, Some(id(1000)), AGE, began);
            assert_eq!(
                sightings.note_newest(STREAM, newest, AGE, began + AGE),
                None
            );
            let later = began + AGE + AGE;
            let old = sightings.note_newest(STREAM, Some(id(6)), AGE, later);
            assert_eq!(old, newest);
        }
    }

    #[test]
    fn a_group_is_unused_when_each_pass_has_seen_it_so() {
        let mut sightings = Sightings::default();
        let began = Instant::now();
        let group = |name: &str| (name.to_owned(), Arc::from(STREAM));
        let mut confirmed = |seconds, unused: &[&str]| {
            let unused = unused.iter().copied().map(group).collect();
            let now = began + Duration::from_secs(seconds);
            let confirmed = sightings.note_unused(unused, AGE, now);
            confirmed.into_keys().collect::<Vec<_>>()
        };
        assert_eq!(confirmed(0, &["gone", "silent"]), [""; 0]);
        assert_eq!(confirmed(6, &["gone"]), [""; 0]);
        assert_eq!(confirmed(12, &["gone", "silent"]), ["gone"]);
        assert_eq!(confirmed(21, &["silent"]), [""; 0]);
        assert_eq!(confirmed(22, &["silent"]), ["silent"]);
    }
}
