//! How an observed call ended.

/// The end of a call, as evidence of the load of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOutcome {
    /// The call was answered; its duration counts.
    Success,
    /// The call was not answered, for lack of time or capacity.
    Dropped,
    /// The call is no evidence of the load: for example, it failed immediately.
    Ignored,
}
