//! How an observed call ended.

/// What the end of a call says about the load of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOutcome {
    /// The call was answered; its duration counts.
    Success,
    /// The call was not answered, for lack of time or capacity.
    Dropped,
    /// The call says nothing about the load: for example, it failed immediately.
    Ignored,
}
