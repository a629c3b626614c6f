//! The flags of the load generator.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// The flags of the load generator.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The manifest of the application to start, or the directory it is in.
    #[arg(
        short = 'f',
        long = "from",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: PathBuf,

    /// How many connections ask at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub connections: u16,

    /// How long each scenario is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub seconds: u16,

    /// Register at least this many cars before the view is measured.
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    pub cars: u64,

    /// Have the platform keep everything on this Redis server (which it fills).
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    pub redis_url: Option<String>,

    /// Measure a platform that runs already on this machine (and fill it), whatever its host.
    #[arg(long, value_name = "URL", conflicts_with = "from")]
    pub url: Option<String>,

    /// The process of that platform, to read its memory and processor time.
    #[arg(long, value_name = "PROCESS", requires = "url")]
    pub pid: Option<u32>,

    /// Offer ten times as many reservations as the platform can make, as shipped and without its protection.
    #[arg(long, conflicts_with_all = ["url", "cars", "connections"])]
    pub overload: bool,

    /// Print the figures for programs.
    #[arg(long)]
    pub json: bool,
}

impl Options {
    /// How long each scenario is measured.
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
    fn without_flags_it_is_sixteen_connections_for_five_seconds() {
        let options = parse(&[]).unwrap();
        assert_eq!(
            (options.connections, options.span()),
            (16, Duration::from_secs(5))
        );
        assert!(options.url.is_none() && options.redis_url.is_none() && !options.json);
    }

    #[test]
    fn a_running_platform_is_neither_started_nor_configured() {
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
    fn no_connection_and_no_time_are_refused() {
        assert!(parse(&["--connections", "0"]).is_err());
        assert!(parse(&["--seconds", "0"]).is_err());
        assert!(parse(&["--seconds", "1", "--connections", "1"]).is_ok());
    }
}
