//! The host, built for the tests.

fn main() -> std::process::ExitCode {
    socar::main()
}
