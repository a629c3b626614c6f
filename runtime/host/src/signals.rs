//! The signals that stop this process, or make it reload.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals so soon after the first one belong to it: `timeout` and terminals send one to the process and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// The signals that ask this process to stop: SIGTERM and SIGINT (Ctrl-C).
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Instant>,
    /// SIGXFSZ, which a write beyond the limit of the size of files (`ulimit -f`) causes. It would end the process; with a
    /// handler, the write fails as on a full disk.
    _file_too_large: Signal,
}

/// SIGHUP, which makes a host reload its application.
pub struct ReloadSignals(Signal);

// === impl StopSignals ===

impl StopSignals {
    /// Takes the signals over from their default handlers: from here on they end nothing by themselves.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            last: None,
            _file_too_large: listen(SignalKind::from_raw(libc::SIGXFSZ))?,
        })
    }

    /// Returns when the next of the signals arrives.
    pub async fn received(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            let is_repeated = self.last.is_some_and(|last| last.elapsed() < SAME_SIGNAL);
            if !is_repeated {
                self.last = Some(Instant::now());
                return;
            }
        }
    }
}

// === impl ReloadSignals ===

impl ReloadSignals {
    /// Takes the signal over from its default handler, which ends the process. A signal that arrives before it can be
    /// obeyed is remembered.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn listen() -> anyhow::Result<Self> {
        let hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        Ok(Self(hangup))
    }

    /// Returns when the next signal arrives.
    pub async fn received(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}
