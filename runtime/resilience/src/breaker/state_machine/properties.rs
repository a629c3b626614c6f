//! What holds for every history of a breaker, tried on thousands of random ones.

use super::super::config::{BreakerSettings, OpenDuration, WindowSize};
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// One thing that may happen to a breaker.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A call asks for admission.
    Start,
    /// One of the calls under way ends.
    End(usize, BreakerOutcome),
    /// One of the calls under way is dropped.
    Drop(usize),
    /// Time passes.
    Pause(u64),
    /// Time passes until an open breaker should let a call through, or until just before.
    Brink(bool),
    ForceOpen,
    Disable,
    Reset,
    /// Another takes its place, with nothing but its memo.
    Replace,
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
    let step = prop_oneof![
        20 => Just(Step::Start),
        16 => (any::<usize>(), outcomes()).prop_map(|(index, outcome)| Step::End(index, outcome)),
        2 => any::<usize>().prop_map(Step::Drop),
        8 => (1..3000_u64).prop_map(Step::Pause),
        3 => any::<bool>().prop_map(Step::Brink),
        1 => Just(Step::ForceOpen),
        1 => Just(Step::Disable),
        2 => Just(Step::Reset),
        4 => Just(Step::Replace),
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
        jitter in 0..=90_u8,
        probes in 1..5_u32,
        patience in 1..5000_u64,
    ) -> BreakerConfig {
        let millis = Duration::from_millis;
        BreakerConfig::new(BreakerSettings {
            window: if by_time { WindowSize::Time(millis(2000)) } else { WindowSize::Calls(5) },
            minimum_calls,
            failure_rate,
            slow_calls: slow.map(|(after, rate)| SlowCalls { after: millis(after), rate }),
            consecutive_failures: Some(consecutive),
            open_duration: OpenDuration { jitter_percent: jitter, max: millis(8000), ..OpenDuration::default() },
            probes,
            probe_timeout: millis(patience),
        })
        .unwrap()
    }
}

/// A breaker under test, and what was promised about it.
struct Witness {
    machine: StateMachine,
    config: BreakerConfig,
    now: Timestamp,
    underway: Vec<AdmittedCall>,
    /// The last state that was reported, and the number of that report.
    reported: (BreakerState, u64),
    /// Until when an open breaker promised to refuse.
    refuses_until: Timestamp,
    admitted: u64,
    refused: u64,
}

impl Witness {
    fn new(config: BreakerConfig, seed: u64) -> Self {
        Self {
            machine: StateMachine::new(config.clone(), seed),
            config,
            now: Timestamp::ZERO,
            underway: Vec::new(),
            reported: (BreakerState::Closed, 0),
            refuses_until: Timestamp::ZERO,
            admitted: 0,
            refused: 0,
        }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        let now = self.now;
        match step {
            Step::Start => self.start()?,
            Step::End(index, outcome) if !self.underway.is_empty() => {
                let ticket = self.underway.swap_remove(index % self.underway.len());
                let before = self.machine.generation;
                let change = self.machine.finish(ticket, outcome, now);
                prop_assert!(
                    change.is_none() || ticket.generation == before,
                    "a straggler had a say"
                );
                self.hear(change)?;
            }
            Step::Drop(index) if !self.underway.is_empty() => {
                let ticket = self.underway.swap_remove(index % self.underway.len());
                let change = self.machine.abandon(ticket, now);
                self.hear(change)?;
            }
            Step::End(..) | Step::Drop(_) => {}
            Step::Pause(millis) => self.now += Duration::from_millis(millis),
            Step::Brink(is_over) => {
                let before = Duration::from_nanos(u64::from(!is_over));
                self.now = self.now.max(self.refuses_until.saturating_sub(before));
            }
            Step::ForceOpen => {
                let change = self.machine.force_open(now);
                self.hear(change)?;
            }
            Step::Disable => {
                let change = self.machine.disable(now);
                self.hear(change)?;
            }
            Step::Replace => self.replace()?,
            Step::Reset => {
                let change = self.machine.reset(now);
                self.hear(change)?;
            }
        }
        prop_assert_eq!(
            self.machine.state(),
            self.reported.0,
            "a change was not reported"
        );
        Ok(())
    }

    fn replace(&mut self) -> Result<(), TestCaseError> {
        let saved = self.machine.save();
        let config = self.config.clone();
        let totals = self.machine.totals;
        self.machine = StateMachine::restore(config, 7, &saved, self.now);
        prop_assert_eq!(self.machine.save(), saved, "it remembers something else");
        self.machine.totals = totals;
        Ok(())
    }

    fn start(&mut self) -> Result<(), TestCaseError> {
        let before = self.machine.state();
        let advice = self.machine.retry_after(self.now);
        let (admitted, change) = self.machine.admit(self.now);
        self.hear(change)?;
        match (before, &admitted) {
            (BreakerState::Closed | BreakerState::Disabled, admitted) => {
                prop_assert!(admitted.is_ok())
            }
            (BreakerState::ForcedOpen, admitted) => prop_assert!(admitted.is_err()),
            (BreakerState::Open, Ok(_)) => {
                prop_assert!(self.now >= self.refuses_until, "before its time")
            }
            (BreakerState::Open, Err(_)) => {
                prop_assert!(self.now < self.refuses_until, "after its time")
            }
            (BreakerState::HalfOpen, _) => {}
        }
        match admitted {
            Ok(ticket) => {
                prop_assert_eq!(advice, None, "let a call through that it advised to wait");
                self.admitted += 1;
                self.underway.push(ticket);
                let probes = self
                    .underway
                    .iter()
                    .filter(|ticket| ticket.generation == self.machine.generation)
                    .count();
                let is_half_open = self.machine.state() == BreakerState::HalfOpen;
                prop_assert!(!is_half_open || probes <= self.config.settings().probes as usize);
            }
            Err(denied) => {
                self.refused += 1;
                prop_assert!(
                    !denied.retry_after.is_zero(),
                    "refused without saying until when"
                );
                prop_assert!(denied.retry_after <= self.config.settings().open_duration.max);
            }
        }
        Ok(())
    }

    /// Reports follow one another: each begins where the one before ended.
    fn hear(&mut self, change: Option<StateChange>) -> Result<(), TestCaseError> {
        let Some(change) = change else {
            return Ok(());
        };
        let (state, sequence) = self.reported;
        prop_assert_eq!(change.from, state);
        prop_assert_ne!(change.to, change.from);
        prop_assert!(change.sequence > sequence);
        self.reported = (change.to, change.sequence);
        if change.to == BreakerState::Open {
            let open_duration = change.retry_after.unwrap_or_default();
            let OpenDuration {
                initial,
                jitter_percent,
                max,
                ..
            } = self.config.settings().open_duration;
            let least = initial.mul_f64(1.0 - f64::from(jitter_percent) / 100.0);
            prop_assert!(open_duration + Duration::from_nanos(1) >= least && open_duration <= max);
            self.refuses_until = self.now + open_duration;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_history_keeps_the_promises(config in configs(), seed in any::<u64>(), steps in steps()) {
        let mut witness = Witness::new(config, seed);
        for step in steps {
            witness.take(step)?;
        }
        let CallTotals { succeeded, slow, failed, ignored, refused } = witness.machine.totals;
        let ended = witness.admitted - witness.underway.len() as u64;
        prop_assert_eq!(succeeded + slow + failed + ignored, ended, "a call was lost or counted twice");
        prop_assert_eq!(refused, witness.refused);
    }

    #[test]
    fn a_closed_breaker_opens_exactly_when_a_rule_is_broken(
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
            let is_broken = in_a_row >= consecutive as usize
                || is_enough && failed * 100 >= usize::from(rate) * window.len();

            let outcome = if failures[end - 1] { BreakerOutcome::Failure } else { BreakerOutcome::Success };
            let (ticket, _) = machine.admit(Timestamp::ZERO);
            let change = machine.finish(ticket.unwrap(), outcome, Timestamp::ZERO);
            prop_assert_eq!(change.is_some(), is_broken, "after {} calls", end);
            if is_broken {
                break;
            }
        }
    }
}
