//! Lines on standard output and standard error, for the user of a command.
//!
//! `println!` and `eprintln!` panic when the stream cannot be written, for example after `… | head -1`, or on a full
//! disk. A reader that has left is no reason to do less than the command was asked to, so these functions ignore it.

use std::fmt::Display;
use std::io::Write as _;

/// Prints a line on standard output.
pub fn print_line(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints a line on standard error.
pub fn print_error_line(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
