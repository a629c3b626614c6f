//! The flags of `socar up`: those of `spin up` where they mean the same.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use config::policy::MEMORY_BOUNDS;
use config::runtime_config::RuntimeConfig;
use tracing_subscriber::filter::LevelFilter;

use super::secret::value_or_file;
use super::{AdminOptions, ApplicationSource, IdentityOptions, LogFormat};

/// The longest drain.
const MAX_DRAIN: Duration = Duration::from_secs(3600);

/// The flags of `socar up`.
#[derive(Args, Clone, Debug)]
pub struct UpOptions {
    /// The manifest, the directory it is in, or an application in a registry, such as `registry.example.com/app:1.0`.
    #[arg(
        short = 'f',
        long = "from",
        visible_alias = "file",
        value_name = "FILE",
        default_value = "spin.toml"
    )]
    pub from: PathBuf,

    /// Allow a registry on this machine without TLS.
    #[arg(short = 'k', long)]
    pub insecure: bool,

    /// Build the components first, as the manifest says.
    #[arg(long)]
    pub build: bool,

    /// The address to listen on; port 0 takes any free port.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "SPIN_HTTP_LISTEN_ADDR",
        value_parser = address,
        default_value = "127.0.0.1:3000"
    )]
    pub listen: SocketAddr,

    /// The state directory [default: `.socar` beside the manifest].
    #[arg(long, value_name = "DIRECTORY", env = "SOCAR_STATE_DIR")]
    pub state_dir: Option<PathBuf>,

    /// The directory of the compiled components [default: `cache` in the state directory].
    #[arg(long, value_name = "DIRECTORY")]
    pub cache_dir: Option<PathBuf>,

    /// The directory that `socar compile` filled: what is there is not compiled again.
    #[arg(long, value_name = "DIRECTORY", env = "SOCAR_COMPILED_DIR")]
    pub compiled_dir: Option<PathBuf>,

    /// A file of `tool.socar` tables that take precedence over those of the manifest.
    #[arg(long, value_name = "FILE", env = "SOCAR_POLICIES")]
    pub policies: Option<PathBuf>,

    /// Reload when the manifest, the policies, the runtime configuration or a file of variables changes.
    #[arg(long, env = "SOCAR_RELOAD_ON_CHANGE")]
    pub reload_on_change: bool,

    /// Keep the event log and the key-value stores on this Redis server, or on that of `@FILE`, instead of in the state
    /// directory.
    #[arg(
        long,
        value_name = "URL",
        env = "SOCAR_REDIS_URL",
        hide_env_values = true,
        value_parser = value_or_file
    )]
    pub redis_url: Option<String>,

    /// A runtime configuration in Spin's format: stores, databases and variables.
    #[arg(long, value_name = "FILE", env = "RUNTIME_CONFIG_FILE")]
    pub runtime_config_file: Option<PathBuf>,

    /// The value of an application variable, or that of a file: NAME=@FILE; @FILE.json and @FILE.toml hold several. Can be
    /// given several times.
    #[arg(long = "variable", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,

    /// Run only this component; can be given several times.
    #[arg(
        short = 'c',
        long = "component-id",
        value_name = "ID",
        env = "SPIN_COMPONENTS_TO_RETAIN",
        value_delimiter = ','
    )]
    pub components: Vec<String>,

    /// The admin listener.
    #[command(flatten)]
    pub admin: AdminOptions,

    /// The identity.
    #[command(flatten)]
    pub identity: IdentityOptions,

    /// The largest linear memory of any component, in bytes, from 64 KiB to 4 GiB.
    #[arg(
        long,
        value_name = "BYTES",
        env = "SPIN_MAX_INSTANCE_MEMORY",
        value_parser = memory
    )]
    pub max_instance_memory: Option<usize>,

    /// After a stop signal: how long the host is not ready but still serves, so that a load balancer notices; at most 1h.
    #[arg(
        long,
        value_name = "DURATION",
        env = "SOCAR_DRAIN",
        value_parser = drain,
        default_value = "0s"
    )]
    pub drain: Duration,

    /// Allow fault injection by `POST /chaos` of the admin listener.
    #[arg(long)]
    pub chaos: bool,

    /// The format of log lines.
    #[arg(long, value_enum, env = "SOCAR_LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// Log every request.
    #[arg(long)]
    pub access_log: bool,

    /// Record a span for every operation on a store, a database or a Redis server, when spans are exported (OTEL_*).
    #[arg(long, env = "SOCAR_TRACE_STORES")]
    pub trace_stores: bool,

    /// Log errors only, and what components print on standard error.
    #[arg(short, long)]
    pub quiet: bool,

    /// Flags of Spin without an effect here; accepted so that its command lines work unchanged.
    #[command(flatten)]
    pub ignored: IgnoredFlags,
}

/// Flags of `spin up` without an effect here.
#[derive(Args, Clone, Debug)]
pub struct IgnoredFlags {
    /// Ignored: components cannot write to their files.
    #[arg(long, hide = true)]
    allow_transient_write: bool,
    /// Ignored: the output of components is in the log of the host.
    #[arg(short = 'L', long, hide = true, value_name = "DIRECTORY")]
    log_dir: Option<PathBuf>,
    /// Ignored: compiled components are always cached.
    #[arg(long, hide = true)]
    disable_cache: bool,
    /// Ignored: the output of every component is logged line by line.
    #[arg(long, hide = true, value_name = "ID")]
    follow: Vec<String>,
    /// Ignored: the pool is sized by the policies of the components.
    #[arg(long, hide = true)]
    disable_pooling: bool,
    /// Ignored: files are copied once, at the start.
    #[arg(long, hide = true)]
    direct_mounts: bool,
    /// Ignored: the manifest sets deadlines.
    #[arg(long, hide = true, value_name = "DURATION")]
    request_timeout: Option<String>,
    /// Ignored: the manifest sets the concurrency of components.
    #[arg(long, hide = true, value_name = "COUNT")]
    max_instance_concurrent_reuse_count: Option<String>,
    /// Ignored: the reuse of instances is fixed.
    #[arg(long, hide = true, value_name = "COUNT")]
    max_instance_reuse_count: Option<String>,
    /// Ignored: the manifest sets the time that an idle instance is kept.
    #[arg(long, hide = true, value_name = "DURATION")]
    idle_instance_timeout: Option<String>,
}

/// Parses the address to listen on. Of the addresses of a host name, the first IPv4 address is taken, which most clients
/// try first, or else the first address.
fn address(text: &str) -> Result<SocketAddr, String> {
    let remedy = "give HOST:PORT, such as 127.0.0.1:3000 or localhost:3000";
    let addresses: Vec<SocketAddr> = text
        .to_socket_addrs()
        .map_err(|error| format!("{error}; {remedy}"))?
        .collect();
    let ipv4 = addresses.iter().find(|address| address.is_ipv4());
    let address = ipv4.or(addresses.first()).copied();
    address.ok_or_else(|| format!("the name has no address; {remedy}"))
}

/// Parses the size limit of a linear memory.
fn memory(text: &str) -> Result<usize, String> {
    let bounds = MEMORY_BOUNDS;
    let bytes: Option<usize> = text.parse().ok();
    let bytes = bytes.filter(|bytes| bounds.contains(bytes));
    bytes.ok_or_else(|| {
        let (from, to) = (bounds.start(), bounds.end());
        format!("write a number of bytes from {from} (64 KiB) to {to} (4 GiB)")
    })
}

fn drain(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match duration <= MAX_DRAIN {
        true => Ok(duration),
        false => Err("write a duration from 0s to 1h".to_owned()),
    }
}

// === impl UpOptions ===

impl UpOptions {
    /// The least severe level that is logged.
    pub fn log_level(&self) -> LevelFilter {
        match self.quiet {
            true => LevelFilter::ERROR,
            false => LevelFilter::INFO,
        }
    }

    /// Whether the event log is on Redis, as far as can be told before the start, which reports what is wrong with the files.
    pub fn is_on_redis(&self) -> bool {
        // A pipe can be read only once.
        let file = self.runtime_config_file.as_deref();
        let config = RuntimeConfig::load(file.filter(|file| file.is_file()));
        self.redis_url.is_some() || config.is_ok_and(|it| it.redis_url.is_some())
    }

    /// The files that a reload reads, apart from the components.
    pub fn configuration_files(&self) -> Vec<PathBuf> {
        let manifest = match ApplicationSource::of(&self.from) {
            Ok(ApplicationSource::Manifest(path)) if path.is_dir() => Some(path.join("spin.toml")),
            Ok(ApplicationSource::Manifest(path)) => Some(path),
            Ok(ApplicationSource::Registry(_)) | Err(_) => None,
        };
        let variables = self.variables.iter().filter_map(|argument| {
            let value = argument
                .split_once('=')
                .map_or(argument.as_str(), |(_, value)| value);
            value.strip_prefix('@').map(PathBuf::from)
        });
        let mut files = Vec::from_iter(manifest);
        files.extend(self.policies.clone());
        files.extend(self.runtime_config_file.clone());
        files.extend(variables);
        files
    }
}

// === impl IgnoredFlags ===

impl IgnoredFlags {
    /// The names of the flags that were given.
    pub fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--allow-transient-write", self.allow_transient_write),
            ("--log-dir", self.log_dir.is_some()),
            ("--disable-cache", self.disable_cache),
            ("--follow", !self.follow.is_empty()),
            ("--disable-pooling", self.disable_pooling),
            ("--direct-mounts", self.direct_mounts),
            ("--request-timeout", self.request_timeout.is_some()),
            (
                "--max-instance-concurrent-reuse-count",
                self.max_instance_concurrent_reuse_count.is_some(),
            ),
            (
                "--max-instance-reuse-count",
                self.max_instance_reuse_count.is_some(),
            ),
            (
                "--idle-instance-timeout",
                self.idle_instance_timeout.is_some(),
            ),
        ];
        given
            .into_iter()
            .filter(|(_, given)| *given)
            .map(|(flag, _)| flag)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::{Arguments, Command};

    fn up(arguments: &[&str]) -> UpOptions {
        let arguments = ["socar", "up"].iter().chain(arguments);
        match Arguments::try_parse_from(arguments).unwrap().command {
            Command::Up(up) => *up,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_runtime_configuration_from_a_pipe_is_left_for_the_start() {
        use std::io::{Read as _, Write as _};
        use std::os::fd::AsRawFd as _;
        const TEXT: &str = "[socar]\nredis_url = \"redis://127.0.0.1\"\n";
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(TEXT.as_bytes()).unwrap();
        drop(writer);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        assert!(!up(&["--runtime-config-file", &path]).is_on_redis());
        let mut left = String::new();
        reader.read_to_string(&mut left).unwrap();
        assert_eq!(left, TEXT);
    }

    #[test]
    fn a_host_is_on_redis_by_its_flag_or_by_its_runtime_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("runtime-config.toml");
        let path = file.to_str().unwrap();
        let is_on_redis = |text: &str| {
            std::fs::write(&file, text).unwrap();
            up(&["--runtime-config-file", path]).is_on_redis()
        };
        assert!(is_on_redis("[socar]\nredis_url = \"redis://127.0.0.1\"\n"));
        assert!(!is_on_redis(""));
        assert!(!is_on_redis("malformed"));
        assert!(up(&["--redis-url", "redis://127.0.0.1"]).is_on_redis());
        assert!(!up(&[]).is_on_redis());
    }

    #[test]
    fn the_arguments_of_the_spinkube_operator_are_accepted() {
        let up = up(&[
            "--listen",
            "0.0.0.0:80",
            "-f",
            "app/spin.toml",
            "--runtime-config-file",
            "/runtime-config.toml",
            "--component-id",
            "car",
            "--component-id",
            "payment",
        ]);
        assert_eq!(up.listen, "0.0.0.0:80".parse().unwrap());
        assert_eq!(up.components, ["car", "payment"]);
    }

    #[test]
    fn a_reload_reads_every_configuration_file() {
        let up = up(&[
            "-f",
            "app/spin.toml",
            "--policies",
            "policies.toml",
            "--runtime-config-file",
            "runtime.toml",
            "--variable",
            "limit=5",
            "--variable",
            "mail=me@example.com",
            "--variable",
            "secret=@secret.txt",
            "--variable",
            "@variables.toml",
        ]);
        let files = up.configuration_files();
        let names: Vec<_> = files.iter().filter_map(|file| file.to_str()).collect();
        let expected = [
            "app/spin.toml",
            "policies.toml",
            "runtime.toml",
            "secret.txt",
            "variables.toml",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_host_name_is_accepted_as_listen_address() {
        for (given, meant) in [
            ("localhost:3000", "127.0.0.1:3000"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:3000", "[::1]:3000"),
        ] {
            assert_eq!(
                up(&["--listen", given]).listen,
                meant.parse().unwrap(),
                "{given}"
            );
        }
        for wrong in ["localhost", "3000", "127.0.0.1:99999"] {
            let refused = Arguments::try_parse_from(["socar", "up", "--listen", wrong]);
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("give HOST:PORT"), "{why}");
        }
    }

    #[test]
    fn a_drain_and_a_memory_have_bounds() {
        for given in ["0s", "1500ms", "1h"] {
            let drain = humantime::parse_duration(given).unwrap();
            assert_eq!(up(&["--drain", given]).drain, drain);
        }
        for (given, bytes) in [("65536", 1_usize << 16), ("4294967296", 1 << 32)] {
            let up = up(&["--max-instance-memory", given]);
            assert_eq!(up.max_instance_memory, Some(bytes));
        }
        for (flag, wrong, remedy) in [
            ("--drain", "3601s", "from 0s to 1h"),
            ("--drain", "99999999999y", ""),
            ("--max-instance-memory", "0", "from 65536 (64 KiB)"),
            ("--max-instance-memory", "65535", "from 65536 (64 KiB)"),
            ("--max-instance-memory", "4294967297", "(4 GiB)"),
            (
                "--max-instance-memory",
                "18446744073709551615",
                "4294967296 (4 GiB)",
            ),
            ("--max-instance-memory", "64MiB", "write a number of bytes"),
        ] {
            let refused = Arguments::try_parse_from(["socar", "up", flag, wrong]);
            let why = refused.unwrap_err().to_string();
            assert!(why.contains(flag) && why.contains(remedy), "{why}");
        }
    }

    #[test]
    fn flags_of_spin_without_effect_are_accepted_and_reported() {
        assert_eq!(
            up(&["--request-timeout", "5s"]).ignored.given(),
            ["--request-timeout"]
        );
        assert!(up(&[]).ignored.given().is_empty());
    }
}
