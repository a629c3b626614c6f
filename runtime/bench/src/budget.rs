//! The time a whole run may take: each step asks for some and gets what is left.

use std::time::{Duration, Instant};

use super::options::Options;

/// Everything but the scenarios: starting, warming up, waiting for events, stopping.
const OVERHEAD: Duration = Duration::from_secs(25);

/// How many scenarios there are, see [`super::journey`].
const SCENARIOS: u32 = 7;

/// No laptop is slower than this at registering a car and showing it in the view.
const CARS_PER_SECOND: u64 = 200;

/// When the run must be over.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    until: Instant,
}

impl Budget {
    /// What the options can be expected to take.
    pub fn starting_now(options: &Options) -> Self {
        Self::lasting(allowance(options))
    }

    /// So long from now.
    pub fn lasting(span: Duration) -> Self {
        Self {
            until: Instant::now() + span,
        }
    }

    /// As much of `wanted` as is left.
    pub fn take(&self, wanted: Duration) -> Duration {
        wanted.min(self.until.saturating_duration_since(Instant::now()))
    }
}

fn allowance(options: &Options) -> Duration {
    let cars = Duration::from_secs(options.cars / CARS_PER_SECOND);
    OVERHEAD + options.span() * SCENARIOS + cars
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn options(arguments: &[&str]) -> Options {
        let command = Options::augment_args(Command::new("bench"));
        let arguments = ["bench"].iter().chain(arguments);
        let matches = command.try_get_matches_from(arguments).unwrap();
        Options::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_run_without_flags_is_over_within_a_minute() {
        assert!(allowance(&options(&[])) <= Duration::from_secs(60));
    }

    #[test]
    fn more_is_not_given_than_what_is_left() {
        let budget = Budget::starting_now(&options(&["--seconds", "1"]));
        assert_eq!(budget.take(Duration::from_secs(1)), Duration::from_secs(1));
        assert!(budget.take(Duration::from_secs(3600)) <= Duration::from_secs(32));
        let spent = Budget {
            until: Instant::now(),
        };
        assert_eq!(spent.take(Duration::from_secs(1)), Duration::ZERO);
    }
}
