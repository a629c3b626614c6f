//! The rules by which a breaker opens, and by which its probes decide: plain functions of settings and counts.

use super::Timestamp;
use super::config::BreakerSettings;
use super::transition::TransitionReason;
use super::window::{WindowCounts, WindowEntry};

/// The rule that the calls of a closed breaker break, if any.
pub(super) fn broken(
    settings: &BreakerSettings,
    counts: WindowCounts,
    consecutive_failures: u32,
) -> Option<TransitionReason> {
    if settings
        .consecutive_failures
        .is_some_and(|most| consecutive_failures >= most)
    {
        return Some(TransitionReason::ConsecutiveFailures {
            failures: consecutive_failures,
        });
    }
    let calls = counts.calls;
    if calls < settings.minimum_calls {
        return None;
    }
    if settings
        .failure_rate
        .is_some_and(|rate| counts.failed >= share(rate, calls))
    {
        return Some(TransitionReason::FailureRate {
            percent: counts.failure_rate(),
            calls,
        });
    }
    if settings
        .slow_calls
        .is_some_and(|slow| counts.slow >= share(slow.rate, calls))
    {
        return Some(TransitionReason::SlowCallRate {
            percent: counts.slow_rate(),
            calls,
        });
    }
    None
}

/// How the probes of a half-open breaker are doing. Never more than `settings.probes` are started, unless one is
/// given back without a verdict.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probes {
    pub started: u32,
    pub last_start: Timestamp,
    pub answers: WindowCounts,
}

/// What the probes say about the service.
pub(super) enum ProbeDecision {
    Healthy,
    Sick(TransitionReason),
    /// Some answers are still missing, and they matter.
    Undecided,
}

impl Probes {
    /// The first probe starts.
    pub fn first(now: Timestamp) -> Self {
        Self {
            started: 1,
            last_start: now,
            answers: WindowCounts::default(),
        }
    }

    /// One more starts.
    pub fn one_more(self, now: Timestamp) -> Self {
        Self {
            started: self.started + 1,
            last_start: now,
            ..self
        }
    }

    /// One ended with this.
    pub fn answered(&mut self, mark: WindowEntry) {
        self.answers.add(WindowCounts::of(mark));
    }

    /// Decides as soon as the missing answers could not make it better. Without a failure rate to measure the probes
    /// by, one that failed is too many.
    pub fn verdict(&self, settings: &BreakerSettings) -> ProbeDecision {
        let WindowCounts {
            calls,
            failed,
            slow,
        } = self.answers;
        let too_many_failed = settings
            .failure_rate
            .map_or(1, |rate| share(rate, settings.probes));
        let too_many_slow = settings
            .slow_calls
            .map(|slow| share(slow.rate, settings.probes));
        if failed >= too_many_failed || too_many_slow.is_some_and(|most| slow >= most) {
            return ProbeDecision::Sick(TransitionReason::ProbesFailed { failed, slow });
        }
        if calls < settings.probes {
            ProbeDecision::Undecided
        } else {
            ProbeDecision::Healthy
        }
    }
}

/// How many of these calls make up so many percent of them; at least one.
fn share(percent: u8, calls: u32) -> u32 {
    let share = (u64::from(percent) * u64::from(calls)).div_ceil(100);
    u32::try_from(share).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_reached_exactly_at_its_percentage() {
        for (percent, calls, reached_by) in [
            (50, 10, 5),
            (50, 11, 6),
            (1, 10, 1),
            (100, 3, 3),
            (34, 3, 2),
        ] {
            assert_eq!(share(percent, calls), reached_by, "{percent} % of {calls}");
        }
    }

    #[test]
    fn a_single_failed_probe_is_too_many_without_a_failure_rate() {
        let settings = BreakerSettings {
            failure_rate: None,
            consecutive_failures: Some(5),
            ..BreakerSettings::default()
        };
        let mut probes = Probes::first(Timestamp::ZERO);
        assert!(matches!(
            probes.verdict(&settings),
            ProbeDecision::Undecided
        ));
        probes.answered(WindowEntry {
            failed: true,
            slow: false,
        });
        assert!(matches!(probes.verdict(&settings), ProbeDecision::Sick(_)));
    }

    #[test]
    fn probes_may_fail_as_long_as_their_rate_stays_below_the_threshold() {
        let settings = BreakerSettings {
            failure_rate: Some(50),
            probes: 3,
            ..BreakerSettings::default()
        };
        let mut probes = Probes::first(Timestamp::ZERO);
        for failed in [true, false, false] {
            probes.answered(WindowEntry {
                failed,
                slow: false,
            });
        }
        assert!(matches!(probes.verdict(&settings), ProbeDecision::Healthy));
    }
}
