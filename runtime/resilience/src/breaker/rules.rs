//! The rules by which a closed breaker opens: plain functions of settings and counts.

use super::config::BreakerSettings;
use super::counts::WindowCounts;
use super::transition::TransitionReason;

/// The rule that the calls of a closed breaker violate, if any.
pub(super) fn violated_rule(
    settings: &BreakerSettings,
    counts: WindowCounts,
    consecutive_failures: u32,
) -> Option<TransitionReason> {
    let too_many_in_a_row = settings
        .consecutive_failures
        .is_some_and(|threshold| consecutive_failures >= threshold);
    match too_many_in_a_row {
        true => Some(TransitionReason::ConsecutiveFailures {
            failures: consecutive_failures,
        }),
        false => violated_rate(settings, counts),
    }
}

fn violated_rate(settings: &BreakerSettings, counts: WindowCounts) -> Option<TransitionReason> {
    let calls = counts.calls;
    if calls < settings.minimum_calls {
        return None;
    }
    let is_reached = |part, rate| part >= calls_at_rate(rate, calls);
    let failed = settings.failure_rate;
    if failed.is_some_and(|rate| is_reached(counts.failed, rate)) {
        return Some(TransitionReason::FailureRate {
            percent: counts.failure_rate(),
            calls,
        });
    }
    let slow = settings.slow_calls;
    slow.filter(|slow| is_reached(counts.slow, slow.rate))
        .map(|_| TransitionReason::SlowCallRate {
            percent: counts.slow_rate(),
            calls,
        })
}

/// The number of calls, out of all of them, that reaches a rate in percent; at least one.
pub(super) fn calls_at_rate(rate: u8, calls: u32) -> u32 {
    let part = (u64::from(rate) * u64::from(calls)).div_ceil(100);
    u32::try_from(part).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_reached_exactly_at_its_percentage() {
        for (rate, calls, reached_by) in [
            (50, 10, 5),
            (50, 11, 6),
            (1, 10, 1),
            (100, 3, 3),
            (34, 3, 2),
        ] {
            let part = calls_at_rate(rate, calls);
            assert_eq!(part, reached_by, "{rate} % of {calls}");
        }
    }
}
