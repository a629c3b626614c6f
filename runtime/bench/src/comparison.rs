//! The platform beside the native twin: both reports of one run, and the ratios.

use std::fmt;

use serde::Serialize;

use super::report::{Report, Row};

/// The reports of both programs.
#[derive(Debug, Serialize)]
pub struct Comparison {
    pub platform: Report,
    pub twin: Report,
}

// === impl Comparison ===

impl Comparison {
    fn pairs(&self) -> impl Iterator<Item = (&Row, &Row)> {
        self.platform.rows.iter().zip(&self.twin.rows)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.platform, self.twin)?;
        writeln!(
            f,
            "{:<26}{:>14}{:>18}",
            "platform / twin", "requests/s", "processor time"
        )?;
        for (platform, twin) in self.pairs() {
            let rate = platform.requests_per_second / twin.requests_per_second;
            let cost = platform.host_microseconds.zip(twin.host_microseconds);
            let cost = cost.map_or("-".to_owned(), |(platform, twin)| {
                format!("{:.1}", platform / twin)
            });
            writeln!(f, "{:<26}{rate:>14.2}{cost:>18}", platform.name)?;
        }
        Ok(())
    }
}
