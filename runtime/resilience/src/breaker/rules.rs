//! The rules by which a breaker opens, and by which its probes decide: plain functions of settings and counts.

use super::Time;
use super::config::Settings;
use super::transition::Reason;
use super::window::{Counts, Mark};

/// The rule that the calls of a closed breaker break, if any.
pub(super) fn broken(
    settings: &Settings,
    counts: Counts,
    consecutive_failures: u32,
) -> Option<Reason> {
    if settings
        .consecutive_failures
        .is_some_and(|most| consecutive_failures >= most)
    {
        return Some(Reason::ConsecutiveFailures {
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
        return Some(Reason::FailureRate {
            percent: counts.failure_rate(),
            calls,
        });
    }
    if settings
        .slow_calls
        .is_some_and(|slow| counts.slow >= share(slow.rate, calls))
    {
        return Some(Reason::SlowCallRate {
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
    pub last_start: Time,
    pub answers: Counts,
}

/// What the probes say about the service.
pub(super) enum Verdict {
    Healthy,
    Sick(Reason),
    /// Some answers are still missing, and they matter.
    Undecided,
}

impl Probes {
    /// The first probe starts.
    pub fn first(now: Time) -> Self {
        Self {
            started: 1,
            last_start: now,
            answers: Counts::default(),
        }
    }

    /// One more starts.
    pub fn one_more(self, now: Time) -> Self {
        Self {
            started: self.started + 1,
            last_start: now,
            ..self
        }
    }

    /// One ended with this.
    pub fn answered(&mut self, mark: Mark) {
        self.answers.add(Counts::of(mark));
    }

    /// Decides as soon as the missing answers could not make it better. Without a failure rate to measure the probes
    /// by, one that failed is too many.
    pub fn verdict(&self, settings: &Settings) -> Verdict {
        let Counts {
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
            return Verdict::Sick(Reason::ProbesFailed { failed, slow });
        }
        if calls < settings.probes {
            Verdict::Undecided
        } else {
            Verdict::Healthy
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
        let settings = Settings {
            failure_rate: None,
            consecutive_failures: Some(5),
            ..Settings::default()
        };
        let mut probes = Probes::first(Time::ZERO);
        assert!(matches!(probes.verdict(&settings), Verdict::Undecided));
        probes.answered(Mark {
            failed: true,
            slow: false,
        });
        assert!(matches!(probes.verdict(&settings), Verdict::Sick(_)));
    }

    #[test]
    fn probes_may_fail_as_long_as_their_rate_stays_below_the_threshold() {
        let settings = Settings {
            failure_rate: Some(50),
            probes: 3,
            ..Settings::default()
        };
        let mut probes = Probes::first(Time::ZERO);
        for failed in [true, false, false] {
            probes.answered(Mark {
                failed,
                slow: false,
            });
        }
        assert!(matches!(probes.verdict(&settings), Verdict::Healthy));
    }
}
