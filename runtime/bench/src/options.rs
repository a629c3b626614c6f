//! Command-line options of the load generator.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Command-line options of the load generator.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The manifest of the application to start, or the directory that contains it.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: PathBuf,

    /// Number of concurrent connections.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub connections: u16,

    /// Duration of each scenario, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub seconds: u16,

    /// Minimum number of cars registered before the view is measured.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub cars: u64,

    /// Redis server on which the platform stores its state (the run adds data to it).
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    pub redis_url: Option<String>,

    /// Measure a platform that already runs on this machine, whichever host it uses (the run adds data to it).
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    pub url: Option<String>,

    /// Process id of that platform, for its memory and processor time.
    #[arg(long, value_name = "PROCESS", requires = "url")]
    pub pid: Option<u32>,

    /// Offer ten times the capacity of the platform, as shipped and without its protections.
    #[arg(long, conflicts_with_all = ["url", "cars", "connections"])]
    pub overload: bool,

    /// Measure honest customers alone, and beside slow readers, slow writers and clients that sort long lists.
    #[arg(long, conflicts_with_all = ["url", "cars", "overload", "twin"])]
    pub attack: bool,

    /// Measure the memory with so many clients that listen for changes, and the time until the last one has a change.
    #[arg(long, value_name = "COUNT", conflicts_with_all = ["url", "cars", "overload", "attack", "twin"], value_parser = clap::value_parser!(u16).range(1..=50_000))]
    pub listeners: Option<u16>,

    /// Measure the native twin too, a program with the same tables and effects, and print the ratios.
    #[arg(long, conflicts_with = "overload")]
    pub twin: bool,

    /// Serve requests as the native twin, with a new database in this directory.
    #[arg(long, value_name = "DIRECTORY")]
    pub serve_twin: Option<PathBuf>,

    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// Returns the duration of each scenario.
    pub fn span(&self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        options: Options,
    }

    fn parse(arguments: &[&str]) -> Result<Options, String> {
        let arguments = ["bench"].iter().chain(arguments);
        let program = Program::try_parse_from(arguments).map_err(|error| error.to_string())?;
        Ok(program.options)
    }

    #[test]
    fn the_default_load_is_sixteen_connections_for_five_seconds() {
        let options = parse(&[]).unwrap();
        assert_eq!(
            (options.connections, options.span()),
            (16, Duration::from_secs(5))
        );
        assert!(options.url.is_none() && options.redis_url.is_none() && !options.json);
    }

    #[test]
    fn the_url_option_excludes_the_redis_option_and_the_pid_option_requires_it() {
        let options = parse(&["--url", "http://127.0.0.1:3000", "--pid", "7"]).unwrap();
        assert_eq!(options.pid, Some(7));
        assert!(
            parse(&[
                "--url",
                "http://127.0.0.1:3000",
                "--redis-url",
                "redis://localhost"
            ])
            .is_err()
        );
        assert!(parse(&["--pid", "7"]).is_err());
    }

    #[test]
    fn zero_connections_and_zero_seconds_are_rejected() {
        assert!(parse(&["--connections", "0"]).is_err());
        assert!(parse(&["--seconds", "0"]).is_err());
        assert!(parse(&["--seconds", "1", "--connections", "1"]).is_ok());
    }
}
