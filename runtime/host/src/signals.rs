//! The signals that stop this process, or make it reload.

use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// Signals so soon after the first one belong to it: `timeout` and terminals send one to the process and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(500);

/// Signals that ask for nothing here. Their default is to end the process, so an operator's script that sends one to make
/// another program open its log anew would take the platform down.
const WITHOUT_MEANING: [SignalKind; 3] = [
    SignalKind::user_defined1(),
    SignalKind::user_defined2(),
    SignalKind::alarm(),
];

/// The signals that ask this process to stop: SIGTERM, SIGINT (Ctrl-C), and SIGQUIT, the signal by which some supervisors
/// ask a server to drain.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    last: Option<Instant>,
    /// SIGXFSZ, which a write beyond the limit of the size of files (`ulimit -f`) causes. It would end the process; with a
    /// handler, the write fails as on a full disk.
    _file_too_large: Signal,
    /// With a handler, they end nothing.
    _without_meaning: [Signal; 3],
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
            quit: listen(SignalKind::quit())?,
            last: None,
            _file_too_large: listen(SignalKind::from_raw(libc::SIGXFSZ))?,
            _without_meaning: {
                let [first, second, third] = WITHOUT_MEANING;
                [listen(first)?, listen(second)?, listen(third)?]
            },
        })
    }

    /// Returns when the next of the signals arrives.
    pub async fn received(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.quit.recv() => {}
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
