//! The lease of a host on its name, where several hosts share a Redis.
//!
//! The name of a host lies in its state directory, and consumer groups are named after it. A copied directory, a restored
//! snapshot or an image with a directory in it makes two hosts of one name, which would take each other's events away.
//! Each running host therefore holds a lease on its name. A host that finds another one alive under its name takes a new
//! name at the start, and ends if that happens while it runs.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use storage::redis_client::{RedisClient, RedisClientError};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::backends::{Backends, new_host_name};
use crate::trace::Trace;

/// The time after which the lease of a host that was killed ends.
const DURATION: Duration = Duration::from_secs(18);

/// The time between two renewals.
const RENEWAL: Duration = Duration::from_secs(6);

/// The time between two looks at the lease of another process, which renews it if it is alive.
const LOOK: Duration = Duration::from_millis(200);

/// The longest time that the start and the end wait for a Redis that does not answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The file that tells a killed predecessor in the same directory from a running host with a copy of it.
const HOLDER_FILE: &str = "host-lease";

/// The lease of this process on the name of its host.
pub struct HostLease {
    redis: Arc<RedisClient>,
    state: PathBuf,
    host: String,
    /// What distinguishes this process from every other one.
    holder: String,
    is_held: bool,
}

/// Who holds the lease on a name.
#[derive(PartialEq, Eq)]
enum Claim {
    Ours,
    /// Another process renews it.
    Taken,
}

// === impl HostLease ===

impl HostLease {
    /// Claims the name of this host, or a new one if a running host has it. Without a Redis there is no other host. An
    /// unavailable Redis does not hold the start up: the name is claimed later.
    ///
    /// # Errors
    /// When a new name cannot be written to the state directory.
    pub async fn claim(backends: &mut Backends, state: &Path) -> anyhow::Result<Option<Self>> {
        let Some(redis) = backends.redis.clone() else {
            return Ok(None);
        };
        let mut lease = Self {
            redis,
            state: state.to_owned(),
            host: backends.host.clone(),
            holder: Trace::fresh().id().to_owned(),
            is_held: false,
        };
        while let Some(Claim::Taken) = lease.try_claim().await {
            let name = new_host_name(state)?;
            warn!(
                host = lease.host,
                name,
                "another running host has the name of this one, which takes a new name and reads all events again"
            );
            lease.host.clone_from(&name);
            backends.host = name;
        }
        Ok(Some(lease))
    }

    /// Renews the lease until `stop` is cancelled, then gives it up.
    ///
    /// # Errors
    /// When another running host has taken the name.
    pub async fn hold(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = sleep(RENEWAL) => {}
                () = stop.cancelled() => {
                    self.give_up().await;
                    return Ok(());
                }
            }
            let claim = tokio::select! {
                claim = self.claim_or_renew() => claim,
                () = stop.cancelled() => continue,
            };
            match claim {
                Ok(Claim::Ours) => self.is_held = true,
                Ok(Claim::Taken) => anyhow::bail!(
                    "another running host has the name `{}`, as after a copy of the state directory: start this host again, and it takes another name",
                    self.host
                ),
                Err(error) => debug!(%error, "the lease on the name of this host was not renewed"),
            }
        }
    }

    /// Another holder may be a process that has ended, as after a restored Redis: it is watched, as at the start.
    async fn claim_or_renew(&self) -> Result<Claim, RedisClientError> {
        match self.is_held && self.renew().await? == Claim::Ours {
            true => Ok(Claim::Ours),
            false => self.claim_name().await,
        }
    }

    /// `None` if the Redis does not answer.
    async fn try_claim(&mut self) -> Option<Claim> {
        let ping = cmd("PING");
        let answer = timeout(ANSWER_TIMEOUT, self.redis.query::<String>(&ping));
        answer.await.ok()?.ok()?;
        let claim = self.claim_name().await.ok()?;
        self.is_held = claim == Claim::Ours;
        Some(claim)
    }

    /// Takes the lease if it is free or that of a killed predecessor. That of another process is watched until it ends or
    /// is renewed.
    async fn claim_name(&self) -> Result<Claim, RedisClientError> {
        let mut seen: Option<(String, i64)> = None;
        let deadline = Instant::now() + DURATION + RENEWAL;
        while Instant::now() < deadline {
            if self
                .redis
                .query::<Option<String>>(self.set().arg("NX"))
                .await?
                .is_some()
            {
                self.remember();
                return Ok(Claim::Ours);
            }
            let Some(holder) = self
                .redis
                .query::<Option<String>>(cmd("GET").arg(self.key()))
                .await?
            else {
                continue;
            };
            if is_predecessor(&self.state, &holder) {
                self.redis.query::<String>(&self.set()).await?;
                self.remember();
                return Ok(Claim::Ours);
            }
            let left: i64 = self.redis.query(cmd("PTTL").arg(self.key())).await?;
            if u64::try_from(left).is_ok_and(|left| left > milliseconds(DURATION)) {
                self.shorten().await?;
                seen = None;
            } else {
                let is_renewed = |(before, at): &(String, i64)| *before != holder || left > *at;
                if seen.as_ref().is_some_and(is_renewed) {
                    break;
                }
                seen = Some((holder, left));
            }
            sleep(LOOK).await;
        }
        Ok(Claim::Taken)
    }

    /// Makes a lease end as if it had just been renewed. It lasts too long when the clock of the server was set back, or when
    /// a failover led to a server whose clock is behind. A holder that is alive renews it.
    async fn shorten(&self) -> Result<(), RedisClientError> {
        let mut shorten = cmd("PEXPIRE");
        shorten.arg(self.key()).arg(milliseconds(DURATION));
        self.redis.query::<i64>(&shorten).await?;
        Ok(())
    }

    async fn renew(&self) -> Result<Claim, RedisClientError> {
        let before: Option<String> = self.redis.query(self.set().arg("GET")).await?;
        match before {
            Some(other) if other != self.holder => {
                let mut give_back = cmd("SET");
                give_back
                    .arg(self.key())
                    .arg(other)
                    .arg("PX")
                    .arg(milliseconds(DURATION));
                self.redis.query::<String>(&give_back).await?;
                Ok(Claim::Taken)
            }
            // The server lost the lease, or the host was suspended.
            _ => Ok(Claim::Ours),
        }
    }

    /// A host that ends in order frees its name at once.
    async fn give_up(&self) {
        let freed = async {
            let holder: Option<String> = self.redis.query(cmd("GET").arg(self.key())).await?;
            if holder.as_ref() == Some(&self.holder) {
                self.redis.query::<i64>(cmd("DEL").arg(self.key())).await?;
            }
            Ok::<_, RedisClientError>(())
        };
        let _ = timeout(ANSWER_TIMEOUT, freed).await;
    }

    fn set(&self) -> redis::Cmd {
        let mut set = cmd("SET");
        set.arg(self.key()).arg(&self.holder);
        set.arg("PX").arg(milliseconds(DURATION));
        set
    }

    fn key(&self) -> String {
        format!("socar.log:host:{}", self.host)
    }

    /// Without the file, the successor of a killed host waits until the lease ends.
    fn remember(&self) {
        let Ok(directory) = identity(&self.state) else {
            return;
        };
        let text = format!("{} {directory}", self.holder);
        if let Err(error) = std::fs::write(self.state.join(HOLDER_FILE), text) {
            debug!(%error, "the holder of the lease was not written");
        }
    }
}

/// Whether the holder of a lease was the last host in this directory, which is locked. A copy of the directory is another
/// one.
fn is_predecessor(state: &Path, holder: &str) -> bool {
    let last = std::fs::read_to_string(state.join(HOLDER_FILE)).unwrap_or_default();
    identity(state).is_ok_and(|directory| last == format!("{holder} {directory}"))
}

/// What distinguishes a directory from its copies.
fn identity(directory: &Path) -> std::io::Result<String> {
    let metadata = std::fs::metadata(directory)?;
    Ok(format!("{}:{}", metadata.dev(), metadata.ino()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use storage::redis_client::test_support::RedisServer;

    use super::*;

    /// The clock of the server was an hour ahead when the lease was last renewed.
    #[tokio::test]
    async fn a_lease_does_not_last_until_an_earlier_clock_is_reached() {
        let server = RedisServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let lease = HostLease {
            redis: server.client(),
            state: folder.path().to_owned(),
            host: "host".to_owned(),
            holder: "this".to_owned(),
            is_held: false,
        };
        let query = async |command: &[&str]| {
            let mut query = cmd(command[0]);
            query.arg(&command[1..]).arg(lease.key());
            lease.redis.query::<i64>(&query).await.unwrap()
        };
        let mut hold = cmd("SET");
        hold.arg(lease.key()).arg("killed").arg("PX").arg(3_600_000);
        lease.redis.query::<String>(&hold).await.unwrap();
        let claim = timeout(LOOK * 2, lease.claim_name()).await;
        assert!(claim.is_err(), "the holder may be alive");
        let left = query(&["PTTL"]).await;
        assert!(left <= 18_000, "{left} ms");
        assert_eq!(query(&["DEL"]).await, 1);
        let claim = lease.claim_name().await.unwrap();
        assert!(claim == Claim::Ours);
    }
}
