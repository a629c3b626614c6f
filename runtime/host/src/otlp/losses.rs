//! Which spans were exported and which were not: in the metrics, and in the log once for each cause until the collector
//! takes spans again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use metrics::{Counter, counter};
use parking_lot::Mutex;
use tracing::{info, warn};

/// The most causes that are told apart between two successes. The texts of a collector may differ each time.
const MAX_CAUSES: usize = 16;

/// The longest cause in the log, in bytes.
const MAX_CAUSE: usize = 300;

/// Why a span was not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossReason {
    /// The spans came faster than the collector took them.
    QueueFull,
    /// The collector was not reached, or could not take them, for as long as a batch is tried.
    Unavailable,
    /// The collector refused them.
    Rejected,
    /// The host stopped before.
    Stopped,
}

const REASONS: [(LossReason, &str); 4] = [
    (LossReason::QueueFull, "queue-full"),
    (LossReason::Unavailable, "unavailable"),
    (LossReason::Rejected, "rejected"),
    (LossReason::Stopped, "stopped"),
];

/// Counts the spans of one exporter.
#[derive(Debug)]
pub struct Losses {
    /// The collector, for people.
    endpoint: String,
    /// The spans that wait, or that are being sent.
    pending: AtomicU64,
    /// The spans that found the queue full since the last batch was exported.
    overflowed: AtomicU64,
    /// Whether it is logged that they do.
    is_overflow_logged: AtomicBool,
    exported: CounterHandle,
    dropped: [CounterHandle; REASONS.len()],
    /// The causes that are logged already.
    logged: Mutex<BTreeSet<String>>,
}

/// A counter, which has no form for debugging.
struct CounterHandle(Counter);

impl std::fmt::Debug for CounterHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CounterHandle")
    }
}

// === impl LossReason ===

impl LossReason {
    fn label(self) -> &'static str {
        let mut reasons = REASONS.iter();
        let found = reasons.find(|(reason, _)| *reason == self);
        found.map_or("", |(_, label)| label)
    }
}

// === impl Losses ===

impl Losses {
    pub fn new(endpoint: &str) -> Self {
        let dropped = REASONS
            .map(|(_, label)| counter!("socar_spans_dropped_total", "reason" => label))
            .map(CounterHandle);
        let exported = CounterHandle(counter!("socar_spans_exported_total"));
        for counter in dropped.iter().chain([&exported]) {
            counter.0.increment(0);
        }
        Self {
            endpoint: endpoint.to_owned(),
            pending: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            is_overflow_logged: AtomicBool::new(false),
            exported,
            dropped,
            logged: Mutex::default(),
        }
    }

    /// A span was queued.
    pub fn queued(&self) {
        self.pending.fetch_add(1, Ordering::Relaxed);
    }

    /// A span found the queue full. This is on the path of a request, so that it is not logged here.
    pub fn overflowed(&self) {
        self.pending.fetch_sub(1, Ordering::Relaxed);
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        self.count(LossReason::QueueFull, 1);
    }

    /// The spans that were neither exported nor dropped yet.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// So many spans were exported.
    pub fn exported(&self, spans: u64) {
        self.pending.fetch_sub(spans, Ordering::Relaxed);
        self.exported.0.increment(spans);
        let had_failed = !std::mem::take(&mut *self.logged.lock()).is_empty();
        if had_failed {
            info!(endpoint = self.endpoint, "spans are exported again");
        }
        self.log_overflow();
    }

    /// So many queued spans were dropped.
    pub fn dropped(&self, reason: LossReason, spans: u64, cause: &str) {
        if spans == 0 {
            return;
        }
        self.pending.fetch_sub(spans, Ordering::Relaxed);
        self.count(reason, spans);
        if self.is_new(&format!("{} {cause}", reason.label())) {
            let (endpoint, reason, cause) = (&*self.endpoint, reason.label(), shortened(cause));
            warn!(endpoint, reason, spans, cause, "spans were dropped");
        }
    }

    /// An attempt failed, and will be repeated.
    pub fn failed(&self, cause: &str) {
        if self.is_new(cause) {
            let (endpoint, cause) = (&*self.endpoint, shortened(cause));
            warn!(endpoint, cause, "spans cannot be exported");
        }
    }

    fn log_overflow(&self) {
        let spans = self.overflowed.swap(0, Ordering::Relaxed);
        let is_logged = self.is_overflow_logged.swap(spans > 0, Ordering::Relaxed);
        if spans > 0 && !is_logged {
            let (endpoint, reason) = (&*self.endpoint, LossReason::QueueFull.label());
            let cause = "they came faster than the collector took them";
            warn!(endpoint, reason, spans, cause, "spans were dropped");
        }
    }

    fn is_new(&self, cause: &str) -> bool {
        let mut logged = self.logged.lock();
        logged.len() < MAX_CAUSES && logged.insert(shortened(cause).to_owned())
    }

    fn count(&self, reason: LossReason, spans: u64) {
        let mut counters = REASONS.iter().zip(&self.dropped);
        if let Some((_, counter)) = counters.find(|((it, _), _)| *it == reason) {
            counter.0.increment(spans);
        }
    }
}

fn shortened(cause: &str) -> &str {
    &cause[..cause.floor_char_boundary(MAX_CAUSE)]
}
