//! The state of a breaker in a form that can be stored.
//!
//! Another state machine continues from it: in a component whose instance may not outlive one call, or in another
//! process. Timestamps are nanoseconds since the origin that the state machine counts from; the reader must use the same
//! origin. The stored field names `era` and `open_time` are older than the names in the code, and stay compatible.

/// What is stored of a breaker. A window of time and the totals are not stored: they start empty.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedState {
    /// The number of changes of state.
    #[cfg_attr(feature = "serde", serde(rename = "era"))]
    pub generation: u64,
    /// When the state began, in nanoseconds.
    pub since: u64,
    /// The number of openings in a row.
    pub openings: u32,
    /// The duration of the last opening, in nanoseconds.
    #[cfg_attr(feature = "serde", serde(rename = "open_time"))]
    pub open_duration: u64,
    /// The state.
    pub phase: SavedPhase,
}

/// The stored state, with the values that only this state has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "kebab-case")
)]
pub enum SavedPhase {
    /// Calls pass.
    Closed {
        /// The calls in the window, the oldest first, one letter for each: `g` good, `f` failed, `s` slow, `b` both.
        calls: String,
        /// The number of consecutive failures.
        failures: u32,
    },
    /// Calls are rejected.
    Open {
        /// When the open duration elapses, in nanoseconds.
        until: u64,
    },
    /// A few calls pass as probes.
    HalfOpen {
        /// The number of probes that were started.
        started: u32,
        /// When the last probe was started, in nanoseconds.
        last_start: u64,
        /// The number of probes that ended.
        answered: u32,
        /// The number of probes that failed.
        failed: u32,
        /// The number of probes that were slow.
        slow: u32,
    },
    /// All calls are rejected, at the request of an operator.
    ForcedOpen,
    /// All calls pass, at the request of an operator.
    Disabled,
}
