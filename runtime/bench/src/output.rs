//! Lines for the user. `println!` panics when its reader has left; a measurement goes on.

use std::fmt::Display;
use std::io::Write as _;

/// Prints the report on standard output.
pub fn print_report(report: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{report}").and_then(|()| out.flush());
}

/// Prints a line about the progress, or an error, on standard error.
pub fn print_progress(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
