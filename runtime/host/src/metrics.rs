//! The numbers of this process: recorded through the `metrics` facade, rendered for Prometheus.
//!
//! | name | what |
//! |---|---|
//! | `socar_calls_total{link,outcome}` | calls over a link, by the class of the answer's status; `none` if there was none |
//! | `socar_call_seconds{link}` | how long they took |
//! | `socar_retries_total{link}`, `socar_fallbacks_total{link}` | further attempts, answers by somebody else |
//! | `socar_breaker_state{link,state}`, `socar_breaker_transitions_total{link,to}`, `socar_breaker_refused_total{link}` | breakers |
//! | `socar_calls_running`, `socar_calls_waiting`, `socar_concurrency_limit`, `socar_calls_shed_total{component}` | places |
//! | `socar_event_lag`, `socar_event_pending{stream,group}`, `socar_dead_letters`, `socar_event_log_up` | events |

use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;

/// Bounds of latencies in seconds: from a quick refusal to a missed deadline.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
];

/// How often samples are sorted into their buckets. Until then each is kept, so nobody may forget it.
const UPKEEP: Duration = Duration::from_secs(2);

/// Renders what was recorded.
#[derive(Clone)]
pub struct Meter(PrometheusHandle);

// === impl Meter ===

impl Meter {
    /// Begins to record, for the whole process; to be called before anything that counts is made.
    ///
    /// # Errors
    /// When somebody else records already.
    pub fn start() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new()
            .set_buckets(&SECONDS)
            .context("cannot measure")?
            .build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("cannot measure")?;
        Ok(Self(handle))
    }

    /// Everything, in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of samples short until told to stop.
    ///
    /// # Errors
    /// None; it is one of several tasks that may have some.
    pub async fn keep(self, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(UPKEEP) => self.0.run_upkeep(),
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
            }
        }
    }
}
