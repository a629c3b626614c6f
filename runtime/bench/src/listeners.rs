//! Listener benchmark, `bench --listeners 10000`: the memory of the platform with many clients that listen for changes, and
//! the time until the last of them has one.
//!
//! The clients come from several loopback addresses, because one address has no more than some 28 000 ports.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use toml::Value;

use super::connection::ExpectedRequest;
use super::manifest::{subtable, write_edited};
use super::options::Options;
use super::output::print_progress;
use super::platform::{self, Platform, StateDirectory};
use super::samples::Samples;

/// The component whose changes are listened for, and the path.
const COMPONENT: &str = "viewpage";
const PATH: &str = "/carviews/stream";

/// The clients of one loopback address.
const CLIENTS_OF_ADDRESS: usize = 5_000;

/// The clients that connect at the same time.
const CONNECTING: usize = 64;

/// The changes whose way is measured.
const CHANGES: usize = 10;

/// Time in which the memory settles.
const SETTLE: Duration = Duration::from_secs(2);

/// Time limit of everything that a client waits for.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The memory that the platform may take with 10 000 listeners, in megabytes.
const AIM_MEGABYTES: f64 = 200.0;

/// Figures of the listener benchmark.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerReport {
    /// Whether this program was compiled with optimizations.
    pub optimised: bool,
    pub listeners: usize,
    /// Memory of the platform without and with the listeners.
    pub memory_before_megabytes: f64,
    pub memory_megabytes: f64,
    /// From the request that changes something until a listener has the change.
    pub change_p50_milliseconds: Option<f64>,
    pub change_p99_milliseconds: Option<f64>,
}

/// A client that listens. It ends when it is dropped.
struct Listener {
    stream: TcpStream,
}

/// Measures the platform with many listeners, and reports progress on standard error.
///
/// # Errors
/// When the platform cannot be started or reached, or a client cannot listen.
pub async fn measure(options: &Options, count: usize) -> anyhow::Result<ListenerReport> {
    platform::check_built(options)?;
    let directory = StateDirectory::create()?;
    let from = with_listeners(&options.from, directory.path(), count)?;
    let options = Options {
        from,
        ..options.clone()
    };
    let (first, _) = Platform::start(&options, directory.path()).await?;
    // The components are compiled now, which takes memory for a while.
    first.stop().await?;
    let (platform, _) = Platform::start(&options, directory.path()).await?;
    let target = platform.target().clone();
    let mut connection = target.connect().await?;
    connection.send(registration(0)).await?;
    tokio::time::sleep(SETTLE).await;
    let before = platform.process().memory().unwrap_or_default();

    print_progress(format_args!("{count} clients begin to listen"));
    let (changed, mut changes) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    let mut opened = 0;
    while opened < count {
        let batch = CONNECTING.min(count - opened);
        let numbers = opened..opened + batch;
        let opening = numbers.map(|number| Listener::open(number, target.address()));
        for listener in futures::future::try_join_all(opening).await? {
            clients.spawn(listener.run(changed.clone()));
        }
        opened += batch;
    }
    tokio::time::sleep(SETTLE).await;

    print_progress(format_args!("{CHANGES} changes for all of them"));
    let mut delays = Vec::new();
    for number in 1..=CHANGES {
        let since = Instant::now();
        connection.send(registration(number)).await?;
        for _ in 0..count {
            let change = tokio::time::timeout(TIMEOUT, changes.recv()).await;
            let received = change.context("a listener got no change")?;
            let received: Instant = received.context("all listeners have gone")?;
            delays.push(received - since);
        }
    }
    let memory = platform.process().memory().unwrap_or_default();
    ensure!(clients.try_join_next().is_none(), "a listener has gone");
    clients.shutdown().await;
    platform.stop().await?;
    let delays = Samples::new(delays);
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(ListenerReport {
        optimised: !cfg!(debug_assertions),
        listeners: count,
        memory_before_megabytes: before as f64 / 1e6,
        memory_megabytes: memory as f64 / 1e6,
        change_p50_milliseconds: delays.percentile(50).map(milliseconds),
        change_p99_milliseconds: delays.percentile(99).map(milliseconds),
    })
}

fn registration(number: usize) -> ExpectedRequest {
    let body = format!(r#"{{"carName":"listened for {number}"}}"#);
    ExpectedRequest::post("/cars", body)
}

/// The manifest with policies for so many listeners.
fn with_listeners(from: &Path, folder: &Path, count: usize) -> anyhow::Result<PathBuf> {
    let number = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
    write_edited(from, folder, "listeners.toml", |manifest| {
        let application = subtable(manifest, &["application", "tool", "socar"])?;
        let listener = subtable(application, &["listener"])?;
        listener.insert("connections".to_owned(), number(count + count / 5 + 100));
        let component = subtable(manifest, &["component", COMPONENT, "tool", "socar"])?;
        let changes = component.remove("changes");
        let mut changes = match changes {
            Some(Value::Table(changes)) => changes,
            _ => toml::Table::from_iter([("path".to_owned(), Value::String(PATH.to_owned()))]),
        };
        changes.insert("listeners".to_owned(), number(count));
        component.insert("changes".to_owned(), Value::Table(changes));
        Ok(())
    })
}

// === impl Listener ===

impl Listener {
    async fn open(number: usize, address: SocketAddr) -> anyhow::Result<Self> {
        let opened = tokio::time::timeout(TIMEOUT, Self::connect(number, address));
        opened.await.context("a client could not listen in time")?
    }

    async fn connect(number: usize, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4().context("see ulimit -n")?;
        let host = u8::try_from(1 + number / CLIENTS_OF_ADDRESS).context("too many listeners")?;
        socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
        let mut stream = socket.connect(address).await?;
        let request =
            format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::with_capacity(1024);
        // The first message has a position and no event.
        while !contains(&head, b"\nid: ") {
            if stream.read_buf(&mut head).await? == 0 {
                bail!("a client was refused: {}", String::from_utf8_lossy(&head));
            }
        }
        Ok(Self { stream })
    }

    /// Reports when a change arrives, until the stream ends.
    async fn run(self, changed: mpsc::UnboundedSender<Instant>) {
        loop {
            if self.stream.readable().await.is_err() {
                return;
            }
            let mut space = [0; 4096];
            match self.stream.try_read(&mut space) {
                Ok(0) => return,
                Ok(count) => {
                    let has_change = contains(
                        space.get(..count).unwrap_or_default(),
                        b"event: CarRegistered",
                    );
                    if has_change && changed.send(Instant::now()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

// === impl ListenerReport ===

impl ListenerReport {
    /// The memory of one listener with its connection, in KiB.
    fn kibibytes_each(&self) -> f64 {
        let more = self.memory_megabytes - self.memory_before_megabytes;
        more * 1e6 / 1024.0 / self.listeners.max(1) as f64
    }
}

impl fmt::Display for ListenerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.optimised {
            writeln!(
                f,
                "NOT COMPILED FOR SPEED: these figures are not meaningful, add --release"
            )?;
        }
        let mut line = |name: &str, figure: String, aim: &str| {
            let line = format!("{name:<30}{figure:>12}   {aim}");
            writeln!(f, "{}", line.trim_end())
        };
        let milliseconds =
            |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.0}"));
        let aim = match self.listeners {
            10_000 => format!("<= {AIM_MEGABYTES:.0}"),
            _ => String::new(),
        };
        line("listeners", self.listeners.to_string(), "")?;
        let before = format!("{:.0}", self.memory_before_megabytes);
        line("memory without them, MB", before, "")?;
        let memory = format!("{:.0}", self.memory_megabytes);
        line("memory with them, MB", memory, &aim)?;
        let each = format!("{:.1}", self.kibibytes_each());
        line("  each, KiB", each, "")?;
        let [p50, p99] = [self.change_p50_milliseconds, self.change_p99_milliseconds];
        line("change to listener, p50, ms", milliseconds(p50), "")?;
        line("change to listener, p99, ms", milliseconds(p99), "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::manifest::{App, Environment, Overrides};

    #[test]
    fn the_shipped_manifest_allows_so_many_listeners() {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let written = with_listeners(&root, folder.path(), 10_000).unwrap();
        let overrides = Overrides {
            environment: Environment::from_process(),
            ..Overrides::default()
        };
        let app = App::load(&written, &overrides).unwrap();
        let mut components = app.components.iter();
        let view = components.find(|it| it.id == COMPONENT).unwrap();
        let changes = view.policy.changes.as_ref().unwrap();
        assert_eq!(changes.path.value, PATH);
        assert_eq!(changes.listeners.as_ref().unwrap().value, 10_000);
        assert!(app.listener.lasting_connections() >= 10_000);
    }

    #[test]
    fn the_table_shows_the_memory_of_one_listener() {
        let report = ListenerReport {
            optimised: true,
            listeners: 10_000,
            memory_before_megabytes: 80.0,
            memory_megabytes: 120.96,
            change_p50_milliseconds: Some(100.0),
            change_p99_milliseconds: None,
        };
        let text = report.to_string();
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("  each, KiB"), ["4.0"]);
        assert_eq!(row("memory with them, MB"), ["121", "<=", "200"]);
        assert_eq!(row("change to listener, p99, ms"), ["-"]);
    }
}
