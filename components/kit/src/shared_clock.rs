//! A clock that all hosts of a context share, for waits of minutes and hours after which a sweep does something.
//!
//! A due time by the clock of one host means nothing to another one. The time of this clock is the time during which hosts
//! have looked at it, each by its own clock ([`SightedAge`]), so no difference between two hosts is part of it. It stands
//! still while no host looks, so a wait becomes longer by that time. A clock of a host that is set forward adds ten minutes at most.

use crate::{
    platform::Platform,
    sighted_age::SightedAge,
    store::{Store, StoreError},
};
use std::time::Duration;

/// Key of the clock in the outbox store.
const KEY: &str = "clock";
/// Time between two looks of one host that are stored.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at the clock, and returns its time. Each host of a context that waits for a time has to look every ten minutes
/// or more often, which sweeps do.
///
/// Two hosts may read times that differ by a few seconds. A clock that cannot be read begins anew.
///
/// # Errors
///
/// [`StoreError`] when the store fails.
pub async fn time<P: Platform>(platform: &P) -> Result<Duration, StoreError> {
    let value = platform.outbox().get(KEY).await?;
    let looks = value.and_then(|value| serde_json::from_slice(&value).ok());
    let mut looks: SightedAge = looks.unwrap_or_default();
    let (host, now) = (platform.host(), platform.now());
    let is_stored = looks.is_recent(&host, now, LOOK_INTERVAL);
    let time = looks.observe_hours(&host, now);
    if !is_stored {
        let value = serde_json::to_vec(&looks).map_err(|error| StoreError(error.to_string()))?;
        // A look that a simultaneous one overwrites is no loss: the next one of this host adds its time, too.
        platform.outbox().set(KEY, &value).await?;
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPlatform;
    use futures::executor::block_on;

    const INTERVAL: Duration = Duration::from_secs(5);
    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// A look of a host whose clock is ahead by `ahead`.
    fn look(platform: &MemoryPlatform, host: &str, ahead: Duration) -> Duration {
        platform.host.replace(host.to_owned());
        platform.advance(ahead);
        let time = block_on(time(platform)).unwrap();
        platform.set_back(ahead);
        time
    }

    /// Looks of these hosts, every five seconds for `duration`. Returns the last time of each.
    fn look_for(
        platform: &MemoryPlatform,
        hosts: &[(&str, Duration)],
        duration: Duration,
    ) -> Vec<Duration> {
        let mut times = Vec::new();
        for _ in 0..duration.as_secs() / INTERVAL.as_secs() {
            platform.advance(INTERVAL);
            let looks = hosts
                .iter()
                .map(|(host, ahead)| look(platform, host, *ahead));
            times = looks.collect();
        }
        times
    }

    #[test]
    fn hosts_whose_clocks_differ_read_the_same_time() {
        for ahead in [MINUTE, 3 * MINUTE, DAY, 300 * DAY] {
            let platform = MemoryPlatform::new();
            let hosts = [("a", Duration::ZERO), ("b", ahead), ("c", ahead * 2)];
            for (host, ahead) in hosts {
                look(&platform, host, ahead);
            }
            for time in look_for(&platform, &hosts, 60 * MINUTE) {
                let is_right = time.abs_diff(60 * MINUTE) <= LOOK_INTERVAL * 2;
                assert!(is_right, "{ahead:?}: {time:?}");
            }
        }
    }

    #[test]
    fn the_time_goes_on_when_hosts_come_and_go() {
        let platform = MemoryPlatform::new();
        let (a, b) = (("a", Duration::ZERO), ("b", DAY));
        look_for(&platform, &[a, b], MINUTE);
        // The second host stops for half an hour, and the first one after that.
        look_for(&platform, &[a], 30 * MINUTE);
        let times = look_for(&platform, &[b], 30 * MINUTE);
        assert!(times[0] >= 60 * MINUTE, "{times:?}");
        let times = look_for(&platform, &[("c", DAY * 9)], MINUTE);
        assert!(times[0] >= 61 * MINUTE, "{times:?}");
        assert!(times[0] <= 62 * MINUTE, "{times:?}");
    }

    #[test]
    fn a_clock_that_is_set_adds_ten_minutes_at_most() {
        for is_forward in [true, false] {
            let platform = MemoryPlatform::new();
            let host = [("a", Duration::ZERO)];
            look_for(&platform, &host, MINUTE);
            match is_forward {
                true => platform.advance(30 * DAY),
                false => platform.set_back(30 * DAY),
            }
            let times = look_for(&platform, &host, MINUTE);
            assert!(times[0] <= 12 * MINUTE, "{is_forward}: {times:?}");
            assert!(times[0] >= MINUTE, "{is_forward}: {times:?}");
        }
    }

    #[test]
    fn a_clock_that_cannot_be_read_begins_anew() {
        let platform = MemoryPlatform::new();
        block_on(platform.outbox.set(KEY, b"{")).unwrap();
        assert_eq!(look(&platform, "a", DAY), Duration::ZERO);
        let times = look_for(&platform, &[("a", DAY)], MINUTE);
        assert_eq!(times, [MINUTE]);
    }
}
