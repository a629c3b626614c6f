//! The readiness checks: whether an instance of each component can be created, whether every store, database and the
//! event log keep what is written, and whether the read models of this host can be trusted.
//!
//! A check writes nothing as long as all is well. Stores on the same backend are checked once.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures::future::join_all;
use redis::Script;
use tokio_util::sync::CancellationToken;

use crate::backends::Backends;
use crate::generation::{CurrentGeneration, Generation};
use crate::health::{CheckResult, Health};
use crate::read_model_state::{self, ForeignReadModels, ReadModelPositions};
use crate::store::KeyValue;
use storage::database::Database;
use storage::redis_client::RedisClient;

/// The time between two rounds of checks.
const INTERVAL: Duration = Duration::from_secs(3);

/// The time until the checks are repeated after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The time for one check. A store that takes longer is of no use for a request.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How often the rare checks are done while all is well: a component without an instance starts one, and a Redis server
/// runs a blocking command.
const RARE_INTERVAL: Duration = Duration::from_secs(30);

/// How often each store and each stream of a Redis server is checked while all is well.
const EACH_INTERVAL: Duration = Duration::from_secs(300);

/// How often the positions of read models are compared while all is well.
const POSITION_INTERVAL: Duration = Duration::from_secs(300);

/// A write on two keys that changes nothing, in a script, as the event log does it. A cluster refuses two keys.
static LOG_PROBE: LazyLock<Script> = LazyLock::new(|| {
    Script::new("for _, key in ipairs(KEYS) do redis.call('SETRANGE', key, 0, '') end")
});

/// Keys of the event log that never exist.
const LOG_KEYS: [&str; 2] = ["socar.readiness", "socar.readiness.other"];

/// What is checked.
pub struct ReadinessChecks {
    current: CurrentGeneration,
    log: LogBackend,
    last_rare: Option<Instant>,
    last_each: Option<Instant>,
    foreign: ForeignReadModels,
    positions: ReadModelPositions,
    last_positions: Option<Instant>,
}

/// A store with its label.
type LabelledStore<'a> = (&'a str, &'a Arc<dyn KeyValue>);

/// Where the event log is.
enum LogBackend {
    Embedded(Arc<Database>),
    Redis(Arc<RedisClient>),
}

// === impl ReadinessChecks ===

impl ReadinessChecks {
    /// The checks of the current generation and of these backends.
    pub fn new(
        current: CurrentGeneration,
        backends: &Backends,
        foreign: ForeignReadModels,
    ) -> Self {
        let log = match &backends.redis {
            Some(redis) => LogBackend::Redis(redis.clone()),
            None => LogBackend::Embedded(backends.database.clone()),
        };
        Self {
            current,
            log,
            last_rare: None,
            last_each: None,
            foreign,
            positions: ReadModelPositions::new(backends.log.clone(), backends.host.clone()),
            last_positions: None,
        }
    }

    /// Repeats the checks and reports their results, until `stop`.
    ///
    /// # Errors
    /// Never; the type is that of every background task of the platform.
    pub async fn watch(mut self, health: Health, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                results = self.results() => health.report(results),
                () = stop.cancelled() => return Ok(()),
            }
            // A failure resets the time of the last rare checks.
            let interval = match self.last_rare {
                Some(_) => INTERVAL,
                None => RETRY_INTERVAL,
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = self.foreign.found() => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Does all checks once.
    pub async fn results(&mut self) -> Vec<CheckResult> {
        let is_rare = is_due(self.last_rare, RARE_INTERVAL);
        let is_each = is_rare && is_due(self.last_each, EACH_INTERVAL);
        let generation = self.current.get();
        let (log, stores, components) = tokio::join!(
            check(
                "event log".to_owned(),
                self.check_log(&generation, is_rare, is_each)
            ),
            check_stores(&generation, is_each),
            check_components(&generation, is_rare),
        );
        let mut results = vec![log];
        results.extend(stores);
        results.extend(check_databases(&generation));
        results.extend(components);
        results.extend(self.check_read_models(&generation).await);
        let is_well = results.iter().all(|result| result.cause.is_none());
        // The rare checks are repeated in the next round after a failure.
        for (last, is_done) in [
            (&mut self.last_rare, is_rare),
            (&mut self.last_each, is_each),
        ] {
            match is_well {
                true if is_done => *last = Some(Instant::now()),
                true => {}
                false => *last = None,
            }
        }
        results
    }

    /// The position is compared rarely: it costs a command for each stream.
    async fn check_read_models(&mut self, generation: &Generation) -> Vec<CheckResult> {
        let is_due = is_due(self.last_positions, POSITION_INTERVAL);
        let behind = match is_due {
            true => tokio::time::timeout(TIMEOUT, self.positions.behind(generation)).await,
            false => Ok(Ok(BTreeMap::new())),
        };
        // An unavailable log has a check of its own.
        let behind = behind.map(Result::unwrap_or_default).unwrap_or_default();
        if is_due {
            self.last_positions = behind.is_empty().then(Instant::now);
        }
        let checks = read_model_state::subscriptions(generation).map(|subscription| {
            let component = &subscription.component;
            let foreign = self.foreign.cause(component);
            let lag = behind.get(component);
            let lag = lag.map(|lag| format!("{lag} events are missing"));
            CheckResult {
                name: format!("read model of `{component}`"),
                cause: foreign.or(lag),
            }
        });
        checks.collect()
    }

    async fn check_log(
        &self,
        generation: &Generation,
        is_rare: bool,
        is_each: bool,
    ) -> anyhow::Result<()> {
        let redis = match &self.log {
            LogBackend::Embedded(database) => return Ok(database.check()?),
            LogBackend::Redis(redis) => redis,
        };
        let [first, second] = LOG_KEYS;
        if is_rare {
            let mut probe = LOG_PROBE.key(first);
            probe.key(second);
            redis.invoke::<()>(&probe).await?;
            // The delivery waits for events with blocking commands.
            let mut read = redis::cmd("XREAD");
            read.arg(&["BLOCK", "1", "STREAMS", first, "$"]);
            redis.query::<redis::Value>(&read).await?;
            check_stream_commands(redis, first).await?;
            let streams = is_each.then(|| generation.streams());
            for stream in streams.into_iter().flatten() {
                check_stream(redis, &stream).await?;
            }
        } else {
            let mut write = redis::cmd("SETRANGE");
            write.arg(first).arg(0).arg("");
            redis.query::<i64>(&write).await?;
        }
        Ok(())
    }
}

/// Whether what is done at this interval is to be done now.
fn is_due(last: Option<Instant>, interval: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= interval)
}

/// Whether the user of the host may append, claim and acknowledge. None of these commands makes the stream.
async fn check_stream_commands(redis: &RedisClient, stream: &str) -> anyhow::Result<()> {
    for arguments in [
        &["XADD", stream, "NOMKSTREAM", "*", "event", ""][..],
        &[
            "XREADGROUP",
            "GROUP",
            "socar",
            "socar",
            "STREAMS",
            stream,
            ">",
        ],
        &["XPENDING", stream, "socar"],
        &["XACK", stream, "socar", "0-1"],
    ] {
        let (name, arguments) = arguments.split_first().unwrap_or((&"PING", &[]));
        let mut command = redis::cmd(name);
        command.arg(arguments);
        match redis.query::<redis::Value>(&command).await {
            Ok(_) => {}
            Err(error) if error.code() == Some("NOGROUP") => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether a stream is one, and the user of the host may use its key.
async fn check_stream(redis: &RedisClient, stream: &str) -> anyhow::Result<()> {
    let mut acknowledge = redis::cmd("XACK");
    acknowledge.arg(&[stream, "socar", "0-1"]);
    let done = redis.query::<redis::Value>(&acknowledge).await;
    done.map(drop)
        .with_context(|| format!("the stream `{stream}`"))
}

/// The stores on a backend are checked together. The user of a Redis may have permissions for the keys of some stores only, so
/// that each of them is checked rarely.
async fn check_stores(generation: &Generation, is_each: bool) -> Vec<CheckResult> {
    let mut backends: BTreeMap<String, Vec<LabelledStore<'_>>> = BTreeMap::new();
    for (label, store) in &generation.stores.key_value {
        let backend = backends.entry(store.backend());
        backend.or_default().push((label, store));
    }
    let checks = backends.into_values().map(|stores| {
        let labels: Vec<&str> = stores.iter().map(|(label, _)| *label).collect();
        let checked = match is_each {
            true => stores.len(),
            false => 1,
        };
        check(format!("key-value store {}", quoted(&labels)), async move {
            for (label, store) in &stores[..checked] {
                let mut checked = store.check().await;
                if is_each && checked.is_ok() {
                    checked = store.check_index().await;
                }
                checked.with_context(|| format!("`{label}`"))?;
            }
            Ok(())
        })
    });
    join_all(checks).await
}

fn check_databases(generation: &Generation) -> Vec<CheckResult> {
    let databases = generation.stores.databases.iter();
    let check = |(label, database): (&String, &Arc<_>)| {
        let database: &crate::capability::sqlite::database::GuestDatabase = database;
        result(format!("SQLite database `{label}`"), database.check())
    };
    databases.map(check).collect()
}

async fn check_components(generation: &Generation, is_rare: bool) -> Vec<CheckResult> {
    let components = generation.components.values().map(|ingress| {
        let component = &ingress.component;
        let checked = async move {
            // An instance that lives is no proof once another one could not be created.
            let is_doubtful = component.start_failure().is_some();
            let has_instance = component.stats().alive > 0;
            match is_doubtful || (is_rare && !has_instance) {
                true => component.check_start().await,
                false => Ok(()),
            }
        };
        check(format!("component `{}`", component.id()), checked)
    });
    join_all(components).await
}

async fn check(name: String, checked: impl Future<Output = anyhow::Result<()>>) -> CheckResult {
    let checked = tokio::time::timeout(TIMEOUT, checked).await;
    result(
        name,
        checked.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {TIMEOUT:?}"))),
    )
}

fn result(name: String, checked: anyhow::Result<()>) -> CheckResult {
    CheckResult {
        name,
        cause: checked.err().map(|error| format!("{error:#}")),
    }
}

fn quoted(labels: &[&str]) -> String {
    let quoted: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
    quoted.join(", ")
}
