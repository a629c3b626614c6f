//! The report of the attack benchmark: a table that shows the aims beside the figures, and the same figures as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::overload::OverloadOutcome;

/// Figures of the attack benchmark.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttackReport {
    /// Whether this program was compiled with optimizations.
    pub optimised: bool,
    pub undisturbed: HonestCustomers,
    pub attacked: HonestCustomers,
    /// Memory after a load of honest customers alone.
    pub memory_level_megabytes: f64,
    /// The most memory under attack.
    pub memory_peak_megabytes: f64,
}

/// What honest customers got.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HonestCustomers {
    pub reserved: usize,
    /// Requests that were rejected with 503.
    pub refused: usize,
    /// Requests with another answer or none.
    pub lost: usize,
    /// Requests that were due while no socket was free.
    pub unmade: usize,
    pub p50_milliseconds: Option<f64>,
    pub p99_milliseconds: Option<f64>,
}

impl HonestCustomers {
    /// Counts the results of a load.
    pub fn new(outcome: &OverloadOutcome) -> Self {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        Self {
            reserved: outcome.admitted.count(),
            refused: outcome.refused.count(),
            lost: outcome.lost,
            unmade: outcome.unmade,
            p50_milliseconds: outcome.admitted.percentile(50).map(milliseconds),
            p99_milliseconds: outcome.admitted.percentile(99).map(milliseconds),
        }
    }
}

impl AttackReport {
    /// Goodput under attack, in percent of the undisturbed one.
    fn goodput_percent(&self) -> f64 {
        100.0 * self.attacked.reserved as f64 / self.undisturbed.reserved.max(1) as f64
    }

    /// Memory under attack as a multiple of its level.
    fn memory_factor(&self) -> f64 {
        self.memory_peak_megabytes / self.memory_level_megabytes.max(1.0)
    }
}

impl fmt::Display for AttackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.optimised {
            writeln!(
                f,
                "NOT COMPILED FOR SPEED: these figures are not meaningful, add --release"
            )?;
        }
        line(f, "", "undisturbed", "attacked", "aim")?;
        let both = [&self.undisturbed, &self.attacked];
        let mut row = |name: &str, figure: &dyn Fn(&HonestCustomers) -> String| {
            let [undisturbed, attacked] = both.map(figure);
            line(f, name, &undisturbed, &attacked, "")
        };
        row("reserved", &|it| it.reserved.to_string())?;
        row("rejected (503)", &|it| it.refused.to_string())?;
        row("other or no response", &|it| it.lost.to_string())?;
        row("not sent, no free socket", &|it| it.unmade.to_string())?;
        row("p50, ms", &|it| number(it.p50_milliseconds))?;
        row("p99, ms", &|it| number(it.p99_milliseconds))?;
        let goodput = format!("{:.1}", self.goodput_percent());
        line(f, "goodput, % of undisturbed", "", &goodput, ">= 90")?;
        let [level, peak] = [self.memory_level_megabytes, self.memory_peak_megabytes];
        let [level, peak] = [level, peak].map(|it| format!("{it:.0}"));
        line(f, "memory after a load, peak, MB", &level, &peak, "")?;
        let factor = format!("{:.2}", self.memory_factor());
        line(f, "  multiple of the first", "", &factor, "< 2")
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    undisturbed: &str,
    attacked: &str,
    aim: &str,
) -> fmt::Result {
    let line = format!("{name:<30}{undisturbed:>12}{attacked:>12}   {aim}");
    writeln!(f, "{}", line.trim_end())
}

fn number(figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customers(reserved: usize, lost: usize) -> HonestCustomers {
        HonestCustomers {
            reserved,
            refused: 0,
            lost,
            unmade: 0,
            p50_milliseconds: Some(4.0),
            p99_milliseconds: None,
        }
    }

    #[test]
    fn the_table_compares_goodput_and_memory() {
        let report = AttackReport {
            optimised: true,
            undisturbed: customers(200, 0),
            attacked: customers(190, 10),
            memory_level_megabytes: 80.0,
            memory_peak_megabytes: 120.0,
        };
        let text = report.to_string();
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("other or no response"), ["0", "10"]);
        assert_eq!(row("goodput, % of undisturbed"), ["95.0", ">=", "90"]);
        assert_eq!(row("  multiple of the first"), ["1.50", "<", "2"]);
    }
}
