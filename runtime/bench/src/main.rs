//! The load generator: `cargo run --release -p bench`.

use std::process::ExitCode;

use clap::Parser;

/// Measure the throughput and latency of the platform on this machine.
#[derive(Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(flatten)]
    options: bench::Options,
}

fn main() -> ExitCode {
    let Arguments { options } = Arguments::parse();
    match bench::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            bench::output::print_progress(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
