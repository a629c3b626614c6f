//! Report of a run: a table for people, and the same figures as JSON for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::load::Measured;

/// All results of one run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub version: &'static str,
    /// Platform under test: embedded, on Redis, or running at a URL.
    pub mode: String,
    /// Whether this program was compiled with optimizations.
    pub optimised: bool,
    pub connections: u16,
    /// Number of cars at the end of the run.
    pub cars: u64,
    pub rows: Vec<Row>,
    pub delays: Vec<Delay>,
    pub start_up: Option<StartUp>,
    pub memory: Option<Memory>,
}

/// Figures of one scenario.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub name: String,
    pub requests: usize,
    pub errors: usize,
    pub seconds: f64,
    pub requests_per_second: f64,
    pub p50_milliseconds: Option<f64>,
    pub p99_milliseconds: Option<f64>,
    pub max_milliseconds: Option<f64>,
    /// Processor time of the platform per request, including the event processing in that period.
    pub host_microseconds: Option<f64>,
    /// Processor time of the load generator per request, which was not available to the platform.
    pub load_microseconds: Option<f64>,
    /// Text of the first error.
    pub example: Option<String>,
}

/// Time from the end of a scenario until the view showed all its changes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Delay {
    pub after: String,
    /// `None` when the view did not catch up within the time limit.
    pub seconds: Option<f64>,
}

/// Times from the start of the process until it serves requests.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StartUp {
    /// With compilation of all components.
    pub cold_seconds: f64,
    /// With an existing compilation cache.
    pub warm_seconds: f64,
}

/// Resident memory of the platform.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub start_megabytes: f64,
    pub load_megabytes: f64,
}

impl Report {
    /// Returns the name of a scenario in which every request failed, if there is one.
    pub fn failed(&self) -> Option<&str> {
        let failed = |row: &&Row| row.requests == 0 && row.errors > 0;
        self.rows.iter().find(failed).map(|row| row.name.as_str())
    }
}

impl Row {
    /// Calculates the figures of a scenario; `host` and `load` are the processor times of the two processes.
    pub fn new(
        name: &str,
        measured: &Measured,
        host: Option<Duration>,
        load: Option<Duration>,
    ) -> Self {
        let samples = &measured.samples;
        let seconds = measured.elapsed.as_secs_f64();
        let each = |time: Duration| microseconds(time) / measured.iterations.max(1) as f64;
        Self {
            name: name.to_owned(),
            requests: samples.count(),
            errors: measured.errors,
            seconds,
            requests_per_second: measured.per_second(),
            p50_milliseconds: samples.percentile(50).map(milliseconds),
            p99_milliseconds: samples.percentile(99).map(milliseconds),
            max_milliseconds: samples.max().map(milliseconds),
            host_microseconds: host.map(each),
            load_microseconds: load.map(each),
            example: measured.example.clone(),
        }
    }
}

impl Delay {
    /// Creates a delay; `took` is `None` when the view did not catch up.
    pub fn new(after: &str, took: Option<Duration>) -> Self {
        Self {
            after: after.to_owned(),
            seconds: took.map(|took| took.as_secs_f64()),
        }
    }
}

impl StartUp {
    /// Combines the start-up times of both starts.
    pub fn new(cold: Duration, warm: Duration) -> Self {
        Self {
            cold_seconds: cold.as_secs_f64(),
            warm_seconds: warm.as_secs_f64(),
        }
    }
}

impl Memory {
    /// Converts from bytes, before and after the load.
    pub fn new(start: u64, load: u64) -> Self {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        Self {
            start_megabytes: megabytes(start),
            load_megabytes: megabytes(load),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            mode,
            connections,
            cars,
            ..
        } = self;
        writeln!(
            f,
            "socar {version}, {mode}, {connections} connections, {cars} cars"
        )?;
        if !self.optimised {
            writeln!(
                f,
                "NOT COMPILED FOR SPEED: these figures are not meaningful, add --release"
            )?;
        }
        let head = [
            "", "req/s", "p50 ms", "p99 ms", "max ms", "errors", "requests", "cpu us", "load us",
        ];
        line(f, head.map(str::to_owned))?;
        for row in &self.rows {
            line(f, row.cells())?;
        }
        writeln!(f)?;
        if let Some(StartUp {
            cold_seconds,
            warm_seconds,
        }) = self.start_up
        {
            writeln!(
                f,
                "start-up       {cold_seconds:.2} s with compilation, {warm_seconds:.2} s without"
            )?;
        }
        if let Some(Memory {
            start_megabytes,
            load_megabytes,
        }) = self.memory
        {
            writeln!(
                f,
                "memory         {start_megabytes:.0} MB after the start, {load_megabytes:.0} MB after the load"
            )?;
        }
        for Delay { after, seconds } in &self.delays {
            match seconds {
                Some(seconds) => writeln!(f, "view complete  {seconds:.2} s after {after}")?,
                None => writeln!(f, "view complete  not within the time limit after {after}")?,
            }
        }
        writeln!(
            f,
            "cpu us: processor time of the platform per request, with its events; load us: of the load generator"
        )?;
        for row in self.rows.iter() {
            if let Some(example) = &row.example {
                writeln!(
                    f,
                    "{}: {} errors, for example: {example}",
                    row.name, row.errors
                )?;
            }
        }
        Ok(())
    }
}

impl Row {
    fn cells(&self) -> [String; 9] {
        let with = |digits: usize, figure: Option<f64>| match figure {
            Some(figure) => format!("{figure:.digits$}"),
            None => "-".to_owned(),
        };
        [
            self.name.clone(),
            with(0, Some(self.requests_per_second)),
            with(2, self.p50_milliseconds),
            with(2, self.p99_milliseconds),
            with(1, self.max_milliseconds),
            self.errors.to_string(),
            self.requests.to_string(),
            with(0, self.host_microseconds),
            with(0, self.load_microseconds),
        ]
    }
}

fn line(f: &mut fmt::Formatter<'_>, cells: [String; 9]) -> fmt::Result {
    let [name, figures @ ..] = cells;
    write!(f, "{name:<26}")?;
    for figure in figures {
        write!(f, "{figure:>10}")?;
    }
    writeln!(f)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Samples;

    fn measured() -> Measured {
        Measured {
            samples: Samples::new((1..=100).map(Duration::from_millis).collect()),
            elapsed: Duration::from_secs(2),
            errors: 1,
            example: Some("POST /cars answered 503: busy".to_owned()),
            iterations: 125,
        }
    }

    fn report(rows: Vec<Row>) -> Report {
        Report {
            version: "0.1.0",
            mode: "embedded".to_owned(),
            optimised: true,
            connections: 16,
            cars: 125,
            rows,
            delays: vec![Delay::new("register", None)],
            start_up: Some(StartUp::new(
                Duration::from_secs(2),
                Duration::from_millis(250),
            )),
            memory: None,
        }
    }

    #[test]
    fn rates_and_costs_count_successes_over_the_elapsed_time() {
        let row = Row::new(
            "register",
            &measured(),
            Some(Duration::from_millis(250)),
            None,
        );
        assert_eq!(
            (row.requests, row.errors, row.requests_per_second),
            (100, 1, 50.0)
        );
        assert_eq!(
            (row.p50_milliseconds, row.p99_milliseconds),
            (Some(50.0), Some(99.0))
        );
        assert_eq!(
            (row.host_microseconds, row.load_microseconds),
            (Some(2000.0), None)
        );
    }

    #[test]
    fn the_table_shows_every_scenario_and_an_example_of_its_errors() {
        let text = report(vec![Row::new("register", &measured(), None, None)]).to_string();
        let row = text
            .lines()
            .find(|line| line.starts_with("register "))
            .unwrap();
        let cells: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(
            cells,
            [
                "register", "50", "50.00", "99.00", "100.0", "1", "100", "-", "-"
            ]
        );
        assert!(
            text.contains("register: 1 errors, for example: POST /cars answered 503: busy"),
            "{text}"
        );
        assert!(text.contains("0.25 s without"), "{text}");
    }

    #[test]
    fn a_scenario_fails_when_all_of_its_requests_fail() {
        let nothing = Measured::default();
        let broken = Measured {
            errors: 3,
            ..Measured::default()
        };
        let rows = |measured: &Measured| vec![Row::new("cancel", measured, None, None)];
        assert_eq!(report(rows(&broken)).failed(), Some("cancel"));
        assert_eq!(report(rows(&nothing)).failed(), None);
        assert_eq!(report(rows(&measured())).failed(), None);
    }
}
