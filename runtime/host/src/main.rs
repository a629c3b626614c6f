//! The `socar` program: arguments, logging and the exit code; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    socar::main()
}
