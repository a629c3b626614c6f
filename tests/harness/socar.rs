//! The host under test.

fn main() -> std::process::ExitCode {
    socar::main()
}
