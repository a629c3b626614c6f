//! Properties of every history of a breaker, checked with thousands of random ones.

use super::super::config::{BreakerSettings, WindowSize};
use super::super::open_duration::OpenDuration;
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// One step of a history.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A call requests admission.
    Admit,
    /// A call in progress ends.
    Finish(usize, BreakerOutcome),
    /// A call in progress is cancelled.
    Abandon(usize),
    /// Time passes, in milliseconds.
    Advance(u64),
    /// Time passes until the open duration elapses, or until one nanosecond before.
    AdvanceToEnd(End),
    ForceOpen,
    Disable,
    Reset,
    /// Another state machine continues from the saved state.
    Restore,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Before,
    Exactly,
}

fn outcomes() -> impl Strategy<Value = BreakerOutcome> {
    prop_oneof![
        3 => Just(BreakerOutcome::Success),
        4 => Just(BreakerOutcome::Failure),
        1 => Just(BreakerOutcome::Slow),
        1 => Just(BreakerOutcome::Ignored),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let finish = (any::<usize>(), outcomes());
    let end = prop::sample::select(&[End::Before, End::Exactly][..]);
    let step = prop_oneof![
        20 => Just(Step::Admit),
        16 => finish.prop_map(|(index, outcome)| Step::Finish(index, outcome)),
        2 => any::<usize>().prop_map(Step::Abandon),
        8 => (1..3000_u64).prop_map(Step::Advance),
        3 => end.prop_map(Step::AdvanceToEnd),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::Disable),
        2 => Just(Step::Reset),
        4 => Just(Step::Restore),
    ];
    vec(step, 0..200)
}

prop_compose! {
    fn configs()(
        by_time in any::<bool>(),
        minimum_calls in 1..4_u32,
        failure_rate in proptest::option::of(1..=100_u8),
        consecutive in 1..6_u32,
        slow in proptest::option::of((1..2000_u64, 1..=100_u8)),
        jitter_percent in 0..=90_u8,
        probes in 1..5_u32,
        probe_timeout in 1..5000_u64,
    ) -> BreakerConfig {
        let millis = Duration::from_millis;
        BreakerConfig::new(BreakerSettings {
            window: if by_time { WindowSize::Time(millis(2000)) } else { WindowSize::Calls(5) },
            minimum_calls,
            failure_rate,
            slow_calls: slow.map(|(after, rate)| SlowCalls { after: millis(after), rate }),
            consecutive_failures: Some(consecutive),
            open_duration: OpenDuration { jitter_percent, max: millis(8000), ..OpenDuration::default() },
            probes,
            probe_timeout: millis(probe_timeout),
        })
        .unwrap()
    }
}

/// A state machine under test, and what it has reported.
struct Oracle {
    machine: StateMachine,
    config: BreakerConfig,
    now: Timestamp,
    in_progress: Vec<AdmittedCall>,
    /// The last reported state, and the number of that change.
    reported: (BreakerState, u64),
    /// When the open duration elapses.
    rejects_until: Timestamp,
    admitted: u64,
    rejected: u64,
}

impl Oracle {
    fn new(config: BreakerConfig, seed: u64) -> Self {
        Self {
            machine: StateMachine::new(config.clone(), seed),
            config,
            now: Timestamp::ZERO,
            in_progress: Vec::new(),
            reported: (BreakerState::Closed, 0),
            rejects_until: Timestamp::ZERO,
            admitted: 0,
            rejected: 0,
        }
    }

    fn apply(&mut self, step: Step) -> Result<(), TestCaseError> {
        let now = self.now;
        match step {
            Step::Admit => self.admit()?,
            Step::Finish(index, outcome) => self.finish(index, outcome)?,
            Step::Abandon(index) => self.abandon(index)?,
            Step::Advance(millis) => self.now += Duration::from_millis(millis),
            Step::AdvanceToEnd(end) => self.advance_to(end),
            Step::ForceOpen => {
                let change = self.machine.force_open(now);
                self.check_change(change)?;
            }
            Step::Disable => {
                let change = self.machine.disable(now);
                self.check_change(change)?;
            }
            Step::Reset => {
                let change = self.machine.reset(now);
                self.check_change(change)?;
            }
            Step::Restore => self.restore()?,
        }
        let state = self.machine.state();
        prop_assert_eq!(state, self.reported.0, "a change was not reported");
        Ok(())
    }

    fn admit(&mut self) -> Result<(), TestCaseError> {
        let before = self.machine.state();
        let advice = self.machine.retry_after(self.now);
        let (decision, change) = self.machine.admit(self.now);
        self.check_change(change)?;
        let is_due = self.now >= self.rejects_until;
        match before {
            BreakerState::Closed | BreakerState::Disabled => prop_assert!(decision.is_ok()),
            BreakerState::ForcedOpen => prop_assert!(decision.is_err()),
            BreakerState::Open => prop_assert_eq!(decision.is_ok(), is_due),
            BreakerState::HalfOpen => {}
        }
        match decision {
            Ok(call) => self.check_admitted(call, advice),
            Err(rejected) => self.check_rejected(rejected),
        }
    }

    fn check_admitted(
        &mut self,
        call: AdmittedCall,
        advice: Option<Duration>,
    ) -> Result<(), TestCaseError> {
        prop_assert_eq!(advice, None, "admitted against its own retry_after");
        self.admitted += 1;
        self.in_progress.push(call);
        let generation = self.machine.generation;
        let calls = self.in_progress.iter();
        let probes = calls.filter(|call| call.generation == generation).count();
        let is_half_open = self.machine.state() == BreakerState::HalfOpen;
        prop_assert!(!is_half_open || probes <= self.config.settings().probes as usize);
        Ok(())
    }

    fn check_rejected(&mut self, rejected: RejectedCall) -> Result<(), TestCaseError> {
        self.rejected += 1;
        prop_assert!(!rejected.retry_after.is_zero(), "rejected without a time");
        prop_assert!(rejected.retry_after <= self.config.settings().open_duration.max);
        Ok(())
    }

    fn finish(&mut self, index: usize, outcome: BreakerOutcome) -> Result<(), TestCaseError> {
        let Some(call) = self.take(index) else {
            return Ok(());
        };
        let generation = self.machine.generation;
        let change = self.machine.finish(call, outcome, self.now);
        let is_current = call.generation == generation;
        prop_assert!(
            change.is_none() || is_current,
            "a call of an earlier generation changed the state"
        );
        self.check_change(change)
    }

    fn abandon(&mut self, index: usize) -> Result<(), TestCaseError> {
        let Some(call) = self.take(index) else {
            return Ok(());
        };
        let change = self.machine.abandon(call, self.now);
        self.check_change(change)
    }

    fn take(&mut self, index: usize) -> Option<AdmittedCall> {
        let index = index.checked_rem(self.in_progress.len())?;
        Some(self.in_progress.swap_remove(index))
    }

    fn advance_to(&mut self, end: End) {
        let before = match end {
            End::Before => Duration::from_nanos(1),
            End::Exactly => Duration::ZERO,
        };
        self.now = self.now.max(self.rejects_until.saturating_sub(before));
    }

    fn restore(&mut self) -> Result<(), TestCaseError> {
        let saved = self.machine.save();
        let config = self.config.clone();
        let totals = self.machine.totals;
        self.machine = StateMachine::restore(config, 7, &saved, self.now);
        prop_assert_eq!(self.machine.save(), saved, "the restored state differs");
        self.machine.totals = totals;
        Ok(())
    }

    /// Each change begins in the state in which the previous one ended.
    fn check_change(&mut self, change: Option<StateChange>) -> Result<(), TestCaseError> {
        let Some(change) = change else {
            return Ok(());
        };
        let (state, sequence) = self.reported;
        prop_assert_eq!(change.from, state);
        prop_assert_ne!(change.to, change.from);
        prop_assert!(change.sequence > sequence);
        self.reported = (change.to, change.sequence);
        if change.to == BreakerState::Open {
            let duration = change.retry_after.unwrap_or_default();
            let OpenDuration {
                initial,
                jitter_percent,
                max,
                ..
            } = self.config.settings().open_duration;
            let least = initial.mul_f64(1.0 - f64::from(jitter_percent) / 100.0);
            prop_assert!(duration + Duration::from_nanos(1) >= least && duration <= max);
            self.rejects_until = self.now + duration;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_history_has_the_properties(config in configs(), seed in any::<u64>(), steps in steps()) {
        let mut oracle = Oracle::new(config, seed);
        for step in steps {
            oracle.apply(step)?;
        }
        let CallTotals { succeeded, slow, failed, ignored, rejected } = oracle.machine.totals;
        let ended = oracle.admitted - oracle.in_progress.len() as u64;
        prop_assert_eq!(succeeded + slow + failed + ignored, ended, "a call was lost or counted twice");
        prop_assert_eq!(rejected, oracle.rejected);
    }

    #[test]
    fn a_closed_breaker_opens_exactly_when_a_rule_is_violated(
        minimum in 1..=6_u32,
        rate in 1..=100_u8,
        consecutive in 1..6_u32,
        failures in vec(any::<bool>(), 1..60),
    ) {
        let size = 6;
        let config = BreakerConfig::new(BreakerSettings {
            window: WindowSize::Calls(size),
            minimum_calls: minimum,
            failure_rate: Some(rate),
            consecutive_failures: Some(consecutive),
            ..BreakerSettings::default()
        })
        .unwrap();
        let mut machine = StateMachine::new(config, 0);
        for end in 1..=failures.len() {
            let window = &failures[end.saturating_sub(size as usize)..end];
            let failed = window.iter().filter(|failed| **failed).count();
            let in_a_row = failures[..end].iter().rev().take_while(|failed| **failed).count();
            let is_enough = window.len() >= minimum as usize;
            let is_violated = in_a_row >= consecutive as usize
                || is_enough && failed * 100 >= usize::from(rate) * window.len();

            let outcome = if failures[end - 1] { BreakerOutcome::Failure } else { BreakerOutcome::Success };
            let (decision, _) = machine.admit(Timestamp::ZERO);
            let change = machine.finish(decision.unwrap(), outcome, Timestamp::ZERO);
            prop_assert_eq!(change.is_some(), is_violated, "after {} calls", end);
            if is_violated {
                break;
            }
        }
    }
}
