//! Time budget of a whole run: each step requests a duration and receives at most the remaining time.

use std::time::{Duration, Instant};

use super::options::Options;

/// Time for all work except the scenarios: start-up, warm-up, waiting for events and shutdown.
const OVERHEAD: Duration = Duration::from_secs(25);

/// Number of scenarios in [`super::journey`].
const SCENARIOS: u32 = 7;

/// Lower bound of the rate at which any laptop registers cars and shows them in the view.
const CARS_PER_SECOND: u64 = 200;

/// Deadline of the run.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    until: Instant,
}

impl Budget {
    /// Creates a budget that covers the expected duration of a run with these options.
    pub fn starting_now(options: &Options) -> Self {
        Self::lasting(allowance(options))
    }

    /// Creates a budget that ends after `span`.
    pub fn lasting(span: Duration) -> Self {
        Self {
            until: Instant::now() + span,
        }
    }

    /// Returns `wanted`, shortened to the remaining time.
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
    fn the_budget_of_a_run_without_flags_is_at_most_one_minute() {
        assert!(allowance(&options(&[])) <= Duration::from_secs(60));
    }

    #[test]
    fn a_step_never_receives_more_time_than_the_budget_has_left() {
        let budget = Budget::starting_now(&options(&["--seconds", "1"]));
        assert_eq!(budget.take(Duration::from_secs(1)), Duration::from_secs(1));
        assert!(budget.take(Duration::from_secs(3600)) <= Duration::from_secs(32));
        let spent = Budget {
            until: Instant::now(),
        };
        assert_eq!(spent.take(Duration::from_secs(1)), Duration::ZERO);
    }
}
