//! The probes of a half-open breaker, and what they decide.

use super::config::BreakerSettings;
use super::counts::{WindowCounts, WindowEntry};
use super::rules::calls_at_rate;
use super::transition::TransitionReason;
use crate::timestamp::Timestamp;

/// The progress of the probes. At most `settings.probes` are started, except that a probe with an ignored outcome is
/// replaced by another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probes {
    pub started: u32,
    pub last_start: Timestamp,
    pub answers: WindowCounts,
}

/// What the probes say about the service.
pub(super) enum ProbeDecision {
    Close,
    Open(TransitionReason),
    /// Some answers are missing, and they can change the decision.
    Pending,
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

    /// Another probe starts.
    pub fn next(self, now: Timestamp) -> Self {
        Self {
            started: self.started + 1,
            last_start: now,
            ..self
        }
    }

    /// A probe ended. `None` stands for an ignored outcome: another probe may start in its place.
    pub fn record(&mut self, entry: Option<WindowEntry>) {
        match entry {
            Some(entry) => self.answers.add(entry.into()),
            None => self.started = self.started.saturating_sub(1),
        }
    }

    /// Decides as soon as the missing answers cannot change the decision any more.
    pub fn decision(&self, settings: &BreakerSettings) -> ProbeDecision {
        let WindowCounts {
            calls,
            failed,
            slow,
        } = self.answers;
        if has_failed(settings, self.answers) {
            return ProbeDecision::Open(TransitionReason::ProbesFailed { failed, slow });
        }
        match calls < settings.probes {
            true => ProbeDecision::Pending,
            false => ProbeDecision::Close,
        }
    }
}

/// Whether too many probes failed or were slow. Without a failure rate, one failed probe is too many.
fn has_failed(settings: &BreakerSettings, answers: WindowCounts) -> bool {
    let threshold = |rate| calls_at_rate(rate, settings.probes);
    let too_many_failed = settings.failure_rate.map_or(1, threshold);
    let too_many_slow = settings.slow_calls.map(|slow| threshold(slow.rate));
    answers.failed >= too_many_failed
        || too_many_slow.is_some_and(|too_many| answers.slow >= too_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(settings: &BreakerSettings, failed: &[bool]) -> ProbeDecision {
        let mut probes = Probes::first(Timestamp::ZERO);
        for &failed in failed {
            let slow = false;
            probes.record(Some(WindowEntry { failed, slow }));
        }
        probes.decision(settings)
    }

    #[test]
    fn one_failed_probe_opens_the_breaker_without_a_failure_rate() {
        let settings = BreakerSettings {
            failure_rate: None,
            consecutive_failures: Some(5),
            ..BreakerSettings::default()
        };
        assert!(matches!(decision(&settings, &[]), ProbeDecision::Pending));
        let failed = decision(&settings, &[true]);
        assert!(matches!(failed, ProbeDecision::Open(_)));
    }

    #[test]
    fn failed_probes_below_the_failure_rate_close_the_breaker() {
        let settings = BreakerSettings {
            failure_rate: Some(50),
            probes: 3,
            ..BreakerSettings::default()
        };
        let decision = decision(&settings, &[true, false, false]);
        assert!(matches!(decision, ProbeDecision::Close));
    }
}
