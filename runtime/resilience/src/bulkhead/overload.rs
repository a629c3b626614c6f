//! Overload detection: which priority levels have recently been rejected, and for how long.

use std::time::Duration;

use tokio::time::Instant;

/// The wait from which a queue timeout counts as overload. A call that waited less had too little time left when it
/// arrived, which is no evidence of load. A quarter of the queue timeout applies if that is shorter.
pub(super) const MIN_OVERLOAD_WAIT: Duration = Duration::from_millis(100);

/// The time without a rejection after which an overload has ended.
const OVERLOAD_COOLDOWN: Duration = Duration::from_secs(2);

/// The duration from which an overload is sustained, and no burst of calls that arrived together.
const SUSTAINED_OVERLOAD: Duration = Duration::from_millis(50);

/// The recent rejections of each priority level, the lowest level first.
#[derive(Debug)]
pub(super) struct OverloadDetector(Box<[Option<Rejections>]>);

/// Rejections that followed one another closely.
#[derive(Clone, Copy, Debug)]
struct Rejections {
    first: Instant,
    last: Instant,
}

/// How long calls have been rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OverloadDuration {
    Brief,
    Sustained,
}

impl OverloadDetector {
    pub fn new(levels: usize) -> Self {
        Self(vec![None; levels].into_boxed_slice())
    }

    /// Whether calls of this level are overloaded: a call of this level or a higher one was rejected recently.
    pub fn is_overloaded(&self, level: usize) -> bool {
        let mut rejections = self.0[level..].iter().flatten();
        rejections.any(|it| it.last.elapsed() < OVERLOAD_COOLDOWN)
    }

    /// Records a rejection of a call of this level.
    pub fn record(&mut self, level: usize) -> OverloadDuration {
        let now = Instant::now();
        let rejections = &mut self.0[level];
        let recent = rejections.filter(|it| now - it.last < SUSTAINED_OVERLOAD);
        let first = recent.map_or(now, |it| it.first);
        *rejections = Some(Rejections { first, last: now });
        match now - first >= SUSTAINED_OVERLOAD {
            true => OverloadDuration::Sustained,
            false => OverloadDuration::Brief,
        }
    }
}
