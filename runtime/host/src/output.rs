//! Lines on standard output and standard error, for the user of a command.
//!
//! `println!` and `eprintln!` panic when the stream cannot be written, for example after `… | head -1`, or on a full
//! disk. A reader that has left is no reason to do less than the command was asked to, so these functions ignore it. A
//! full disk is a failure of a command whose output is its whole result: its user would work with half of it.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::Context as _;

/// Prints the result of a command, or a part of it, on standard output.
///
/// # Errors
/// When it cannot be written. A reader that has left needs no more of it.
pub fn print_result(line: impl Display) -> anyhow::Result<()> {
    write_result(std::io::stdout().lock(), line)
}

fn write_result(mut out: impl Write, line: impl Display) -> anyhow::Result<()> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard output.
pub fn print_line(line: impl Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Prints a line on standard error.
pub fn print_error_line(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_result_that_is_lost_is_an_error_unless_nobody_reads_it() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = write_result(full, "a token").unwrap_err();
        assert_eq!(error.to_string(), "cannot write to standard output");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        write_result(writer, "a token").unwrap();
    }
}
