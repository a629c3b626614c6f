//! OverloadReport of the overload benchmark: a table that shows the aims beside the figures, and the same figures as JSON.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::open_loop::OverloadOutcome;
use crate::samples::Samples;

/// Figures of both overload runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverloadReport {
    /// Whether this program was compiled with optimizations.
    pub optimised: bool,
    /// Capacity in reservations per second, measured with a closed loop.
    pub capacity: f64,
    /// Latency of a single customer.
    pub alone_p50_milliseconds: Option<f64>,
    pub alone_p99_milliseconds: Option<f64>,
    pub offered_per_second: f64,
    pub seconds: f64,
    pub protected: OverloadRun,
    pub unprotected: OverloadRun,
}

/// Figures of one overload run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverloadRun {
    pub made_per_second: f64,
    pub goodput_per_second: f64,
    /// Seconds from the end of the load until the view showed everything.
    pub caught_up_after_seconds: f64,
    pub admitted: usize,
    pub admitted_p50_milliseconds: Option<f64>,
    pub admitted_p99_milliseconds: Option<f64>,
    pub refused: usize,
    pub refused_p99_milliseconds: Option<f64>,
    pub lost: usize,
    pub unmade: usize,
    pub sockets: usize,
    pub memory: OverloadMemory,
}

/// Durations of an overload run.
#[derive(Clone, Copy, Debug)]
pub struct RunDuration {
    /// Time during which requests were sent.
    pub span: Duration,
    /// Time until all work of the admitted requests was complete.
    pub until_complete: Duration,
}

/// Resident memory of the platform.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverloadMemory {
    pub before_megabytes: f64,
    pub most_megabytes: f64,
    pub after_megabytes: f64,
    /// Seconds from the last response to the measurement of `after_megabytes`.
    pub after_seconds: f64,
}

impl OverloadReport {
    /// Combines both runs with the figures of the platform without overload.
    pub fn new(
        alone: &Samples,
        capacity: f64,
        offered: f64,
        span: Duration,
        protected: OverloadRun,
        unprotected: OverloadRun,
    ) -> Self {
        Self {
            optimised: !cfg!(debug_assertions),
            capacity,
            alone_p50_milliseconds: alone.percentile(50).map(milliseconds),
            alone_p99_milliseconds: alone.percentile(99).map(milliseconds),
            offered_per_second: offered,
            seconds: span.as_secs_f64(),
            protected,
            unprotected,
        }
    }
}

impl OverloadRun {
    /// Calculates the figures of one run.
    pub fn new(outcome: &OverloadOutcome, duration: RunDuration, memory: OverloadMemory) -> Self {
        let RunDuration {
            span,
            until_complete,
        } = duration;
        let (admitted, refused) = (&outcome.admitted, &outcome.refused);
        let made = admitted.count() + refused.count() + outcome.lost;
        Self {
            made_per_second: made as f64 / span.as_secs_f64(),
            goodput_per_second: outcome.in_time as f64 / until_complete.as_secs_f64(),
            caught_up_after_seconds: until_complete.saturating_sub(span).as_secs_f64(),
            admitted: admitted.count(),
            admitted_p50_milliseconds: admitted.percentile(50).map(milliseconds),
            admitted_p99_milliseconds: admitted.percentile(99).map(milliseconds),
            refused: refused.count(),
            refused_p99_milliseconds: refused.percentile(99).map(milliseconds),
            lost: outcome.lost,
            unmade: outcome.unmade,
            sockets: outcome.sockets,
            memory,
        }
    }
}

impl OverloadMemory {
    /// Converts from bytes.
    pub fn new(before: u64, most: u64, after: u64, took: Duration) -> Self {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        Self {
            before_megabytes: megabytes(before),
            most_megabytes: megabytes(most),
            after_megabytes: megabytes(after),
            after_seconds: took.as_secs_f64(),
        }
    }
}

impl fmt::Display for OverloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.optimised {
            writeln!(
                f,
                "NOT COMPILED FOR SPEED: these figures are not meaningful, add --release"
            )?;
        }
        writeln!(
            f,
            "capacity: {:.0} reservations/s; single customer p50 {} ms, p99 {} ms",
            self.capacity,
            number(1, self.alone_p50_milliseconds),
            number(1, self.alone_p99_milliseconds),
        )?;
        writeln!(
            f,
            "offered: {:.0} /s for {:.0} s\n",
            self.offered_per_second, self.seconds
        )?;
        line(f, "", ["as shipped", "unprotected", "aim"])?;
        let row = |f: &mut fmt::Formatter<'_>,
                   name: &str,
                   aim: &str,
                   figure: &dyn Fn(&OverloadRun) -> String| {
            let figures = [&self.protected, &self.unprotected].map(figure);
            line(f, name, [&figures[0], &figures[1], aim])
        };
        let capacity = self.capacity;
        row(f, "goodput, /s", "", &|it| {
            format!("{:.0}", it.goodput_per_second)
        })?;
        row(f, "  % of the capacity", ">= 90", &|it| {
            format!("{:.0}", it.goodput_per_second / capacity * 100.0)
        })?;
        row(f, "  work complete, s later", "", &|it| {
            number(1, Some(it.caught_up_after_seconds))
        })?;
        row(f, "p50 of admitted, ms", "", &|it| {
            number(1, it.admitted_p50_milliseconds)
        })?;
        row(f, "p99 of admitted, ms", "", &|it| {
            number(1, it.admitted_p99_milliseconds)
        })?;
        row(f, "  multiple of one customer", "<= 3", &|it| {
            let both = it
                .admitted_p99_milliseconds
                .zip(self.alone_p99_milliseconds);
            number(1, both.map(|(overloaded, alone)| overloaded / alone))
        })?;
        row(f, "rejected (503)", "", &|it| it.refused.to_string())?;
        row(f, "  p99, ms", "< 10", &|it| {
            number(1, it.refused_p99_milliseconds)
        })?;
        row(f, "other or no response", "", &|it| it.lost.to_string())?;
        row(f, "not sent, no free socket", "", &|it| {
            it.unmade.to_string()
        })?;
        row(f, "sockets", "", &|it| it.sockets.to_string())?;
        row(f, "memory before, MB", "", &|it| {
            number(0, Some(it.memory.before_megabytes))
        })?;
        row(f, "  peak", "", &|it| {
            number(0, Some(it.memory.most_megabytes))
        })?;
        row(f, "  afterwards", "as before", &|it| {
            number(0, Some(it.memory.after_megabytes))
        })?;
        row(f, "  measured, s later", "", &|it| {
            number(0, Some(it.memory.after_seconds))
        })
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, cells: [&str; 3]) -> fmt::Result {
    let [protected, unprotected, aim] = cells;
    let line = format!("{name:<28}{protected:>12}{unprotected:>14}   {aim}");
    writeln!(f, "{}", line.trim_end())
}

fn number(digits: usize, figure: Option<f64>) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests;
